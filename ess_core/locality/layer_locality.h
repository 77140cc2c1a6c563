// The synthetic model of locality: what a layer's selections are like, in few numbers (docs/locality.md).
//
// Each query token keeps a share of the selection before. What enters comes from three places: the newest
// token; *neighbours of the cut*, rows used not long ago; and *scattered* rows from anywhere, with equal
// chance. How deep in the order of last use entrants lie decides the misses of an LRU pool of every size; how
// many there are, the overlap. So the two are set apart.
#pragma once

#include <cstdint>

#include "ess_core/locality/index_trace.h"

namespace ess {

struct layer_locality {
  double overlap = 0.6;     // mean share of a selection that the one before had
  double scattered = 0.03;  // scattered rows per query token, as a share of top-k
  double steepness = 4.0;   // how fast neighbours of the cut thin out with depth: see share_deeper
  // The rows that overlap and scattered rows leave over are not neighbours of the cut but every second
  // position back from the query's.
  bool position_relative = false;

  friend bool operator==(const layer_locality&, const layer_locality&) = default;
};

// What the layers of a request have in common.
struct stream_locality {
  std::int32_t sinks = 4;    // first tokens, always selected
  std::int32_t recent = 16;  // newest tokens, always selected; at least 2
  // Bursts, as when the topic changes: in each period of `burst_every` query tokens, at a place drawn for all
  // layers, `burst_length` successive ones draw `burst_factor` times as many scattered rows; the others draw
  // fewer, so that the mean stays. Without bursts: burst_length 0.
  std::int32_t burst_every = 32;
  std::int32_t burst_length = 2;
  double burst_factor = 4.0;

  friend bool operator==(const stream_locality&, const stream_locality&) = default;
};

// Names the number that is out of range, or does not go with top-k.
[[nodiscard]] trace_result<void> check_locality(const stream_locality& stream, std::int32_t top_k);
[[nodiscard]] trace_result<void> check_locality(const layer_locality& layer, const stream_locality& stream,
                                                std::int32_t top_k);

// Mean rows that enter per query token beside the newest one, of all kinds.
[[nodiscard]] double entrants_per_query(double overlap, std::int32_t top_k);

struct entrant_rates {
  double neighbours = 0.0;
  double scattered = 0.0;
  std::int32_t positional = 0;  // rows selected by position, all of which differ from those before
};
// No more than there are rows that may leave in their stead, in a burst too.
[[nodiscard]] entrant_rates rates_of(const layer_locality& layer, const stream_locality& stream,
                                     std::int32_t top_k);

// Gap between the cut and a row used `depth` rows ago, in standard deviations of a normal distribution of
// scores over the context: the top-k-th row has gap 0. top_k < depth < context.
[[nodiscard]] double gap_to_cut(double depth, double top_k, double context);

// The share of the neighbours of the cut that lie deeper than `gap`: exp(-(steepness * gap + 1.5 gap^2)). The
// constant is one for all layers; docs/locality.md says how it was chosen.
[[nodiscard]] double share_deeper(double gap, double steepness);

}  // namespace ess
