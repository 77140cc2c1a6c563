// "did you mean": the nearest word to one that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace workloads {

// Insertions, deletions and replacements that turn `a` into `b`.
[[nodiscard]] int edit_distance(std::string_view a, std::string_view b);

// The candidate that `word` most likely means, or an empty view where none is near. A candidate that
// differs only in the unit at its end (gather_mb_per_s, gather_gb_per_s) is nearest of all; then one of
// which `word` is the beginning or the last part; then the one of the least edit distance.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// "did you mean 'X'?", or an empty string where nothing is near.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace workloads
