#include "ess_core/reference/indexer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/layout/hadamard.h"
#include "ess_core/layout/index_key.h"
#include "ess_core/layout/rope.h"

namespace ess::reference {
namespace {

std::vector<float> round_all_to_bf16(std::span<const double> values) {
  std::vector<float> rounded(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) rounded[i] = round_to_bf16(static_cast<float>(values[i]));
  return rounded;
}

std::vector<double> to_double(std::span<const float> values) { return {values.begin(), values.end()}; }

std::vector<float> decode(std::span<const std::uint8_t> codes) {
  std::vector<float> values(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) values[i] = e4m3_to_float(codes[i]);
  return values;
}

// Appends score and magnitude of one key.
void score_key(std::span<const float> query, std::span<const float> weight, std::span<const float> key,
               double key_scale, index_scores& result) {
  double score = 0;
  double magnitude = 0;
  for (std::size_t head = 0; head < weight.size(); ++head) {
    double dot = 0;
    for (std::size_t i = 0; i < key.size(); ++i) dot += double{query[head * key.size() + i]} * key[i];
    const double term = weight[head] * std::max(dot, 0.0);
    score += term;
    magnitude += std::fabs(term);
  }
  result.score.push_back(score * key_scale);
  result.magnitude.push_back(magnitude * std::fabs(key_scale));
}

template <typename real>
std::vector<token_id> top_k(std::span<const real> scores, int k) {
  const auto rank = [&](token_id id) {
    const double score = scores[id];
    return std::isnan(score) ? -std::numeric_limits<double>::infinity() : score;
  };
  std::vector<token_id> ids(scores.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::ranges::stable_sort(ids, [&](token_id a, token_id b) { return rank(a) > rank(b); });
  ids.resize(std::min<std::size_t>(ids.size(), k));
  std::ranges::sort(ids);
  ids.resize(static_cast<std::size_t>(k), -1);
  return ids;
}

}  // namespace

std::vector<float> rotated_index_vector(std::span<const float> values, std::span<const float> cos,
                                        std::span<const float> sin) {
  std::vector<double> rotated = to_double(values);
  rotate_half_split(std::span(rotated).first(2 * cos.size()), to_double(cos), to_double(sin));
  return round_all_to_bf16(rotated);
}

std::vector<float> transformed_index_vector(std::span<const float> rotated) {
  std::vector<double> transformed = to_double(rotated);
  hadamard_transform(std::span(transformed));
  return round_all_to_bf16(transformed);
}

index_vector encode_index_vector(std::span<const float> values, std::span<const float> cos,
                                 std::span<const float> sin) {
  const std::vector<float> transformed = transformed_index_vector(rotated_index_vector(values, cos, sin));
  index_vector encoded{.codes = std::vector<std::uint8_t>(values.size()), .scale = 0};
  encoded.scale = quantise_index_vector(transformed, encoded.codes);
  return encoded;
}

std::vector<double> folded_index_weights(std::span<const float> raw, std::span<const float> query_scale,
                                         int index_dim) {
  assert(raw.size() == query_scale.size());
  const double factor = 1.0 / std::sqrt(static_cast<double>(raw.size()) * index_dim);
  std::vector<double> weights(raw.size());
  for (std::size_t head = 0; head < raw.size(); ++head)
    weights[head] = raw[head] * factor * query_scale[head];
  return weights;
}

index_scores score_float_keys(std::span<const float> query, std::span<const float> weight,
                              std::span<const float> keys) {
  const std::size_t dim = query.size() / weight.size();
  assert(dim * weight.size() == query.size() && keys.size() % dim == 0);
  index_scores result;
  for (std::size_t first = 0; first < keys.size(); first += dim) {
    score_key(query, weight, keys.subspan(first, dim), 1.0, result);
  }
  return result;
}

index_scores score_paged_keys(std::span<const std::uint8_t> query, std::span<const float> weight,
                              std::span<const std::uint8_t> pages, std::int64_t tokens) {
  const std::vector<float> query_values = decode(query);
  std::vector<std::uint8_t> key(query.size() / weight.size());
  assert(key.size() * weight.size() == query.size());
  index_scores result;
  for (std::int64_t token = 0; token < tokens; ++token) {
    const float scale = unpack_index_key(pages, token, key);
    score_key(query_values, weight, decode(key), scale, result);
  }
  return result;
}

std::vector<token_id> select_top_k(std::span<const float> scores, int k) { return top_k(scores, k); }
std::vector<token_id> select_top_k(std::span<const double> scores, int k) { return top_k(scores, k); }

}  // namespace ess::reference
