// Double-precision reference of the indexer: index vectors, scores, top-k.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ess_core/base/units.h"

namespace ess::reference {

// The stages between an index query or key and its codes, each rounded to bf16 as the published model does.
// cos, sin: one for each pair of the rotated (first) part of the vector.
[[nodiscard]] std::vector<float> rotated_index_vector(std::span<const float> values,
                                                      std::span<const float> cos, std::span<const float> sin);
[[nodiscard]] std::vector<float> transformed_index_vector(std::span<const float> rotated);

struct index_vector {
  std::vector<std::uint8_t> codes;  // e4m3
  float scale = 0;
};
// Both stages, then e4m3.
[[nodiscard]] index_vector encode_index_vector(std::span<const float> values, std::span<const float> cos,
                                               std::span<const float> sin);

// What multiplies each head's term of a score: raw * heads^-0.5 * query scale * dim^-0.5. raw and
// query_scale: [heads].
[[nodiscard]] std::vector<double> folded_index_weights(std::span<const float> raw,
                                                       std::span<const float> query_scale, int index_dim);

// score = key scale * sum over heads of weight * relu(query . key). magnitude is the sum of the absolute
// terms: terms cancel, so rounding is to be judged against it and not against the score.
struct index_scores {
  std::vector<double> score;
  std::vector<double> magnitude;
};
// query: [heads][dim] f32; weight: [heads]; keys: [tokens][dim] f32; the scales are all 1.
[[nodiscard]] index_scores score_float_keys(std::span<const float> query, std::span<const float> weight,
                                            std::span<const float> keys);
// query: [heads][dim] e4m3; weight: [heads], with the query's scale folded in; pages: the first `tokens` keys
// of an array of index pages.
[[nodiscard]] index_scores score_paged_keys(std::span<const std::uint8_t> query,
                                            std::span<const float> weight,
                                            std::span<const std::uint8_t> pages, std::int64_t tokens);

// The ids of the best min(k, n) scores, ascending, then -1 up to k. Equal scores (+0 and -0 are equal) prefer
// the smaller id; NaN counts as -inf.
[[nodiscard]] std::vector<token_id> select_top_k(std::span<const float> scores, int k);
[[nodiscard]] std::vector<token_id> select_top_k(std::span<const double> scores, int k);

}  // namespace ess::reference
