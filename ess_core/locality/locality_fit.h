// The parameters of the synthetic model from figures that were published or measured.
#pragma once

#include <span>
#include <vector>

#include "ess_core/locality/layer_locality.h"

namespace ess {

struct miss_figure {
  double pool_rows = 0.0;  // more than twice top-k for a position-relative layer, more than top-k else
  double misses = 0.0;     // of an LRU pool, per decode step
};

struct layer_figures {
  double overlap = 0.0;
  bool position_relative = false;
  std::vector<miss_figure> misses;  // may be empty
};

// How the figures were taken.
struct figure_setting {
  std::int32_t top_k = 0;
  double context_tokens = 0.0;
  std::int32_t query_tokens = 1;  // of a decode step: the misses are those of their union
};

// `overlap` is taken as it is. `scattered` and `steepness` minimise the sum of squared relative errors of the
// misses: for each steepness of a grid the best share of scattered rows is known in closed form. A layer with
// a single figure gets the median steepness of those with more, one with none the median of both; an error if
// a layer needs a median and there is none.
[[nodiscard]] trace_result<std::vector<layer_locality>> fit_locality(std::span<const layer_figures> figures,
                                                                     const figure_setting& setting);

}  // namespace ess
