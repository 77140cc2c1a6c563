// Comparison of what was computed with a golden array, by the tolerance of its manifest.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ess_core/reference/golden/golden_set.h"

namespace ess::golden {

// What a comparison by yardstick needs besides the two arrays.
struct yardsticks {
  std::vector<double> array;  // rel_to_array: the named array. angle: position * inverse frequency
};

// `got` holds elements of the same type as `want`. Returns nothing if they agree, otherwise one sentence: how
// many elements do not, the first of them, what was allowed. NaN agrees with NaN only, an infinity with
// itself only.
[[nodiscard]] std::string compare(const golden_array& want, const std::vector<std::uint8_t>& got,
                                  const yardsticks& by = {});

}  // namespace ess::golden
