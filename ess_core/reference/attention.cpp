#include "ess_core/reference/attention.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "ess_core/layout/rope.h"
#include "ess_core/reference/linear.h"

namespace ess::reference {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<double> rotate(std::span<const float> values, std::span<const float> cos,
                           std::span<const float> sin) {
  std::vector<double> rotated(values.begin(), values.end());
  const std::vector<double> cos_double(cos.begin(), cos.end());
  const std::vector<double> sin_double(sin.begin(), sin.end());
  rotate_interleaved(rotated, cos_double, sin_double);
  return rotated;
}

double dot(std::span<const float> a, std::span<const float> b) {
  assert(a.size() == b.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

// Of one head: weights, and their normaliser as a logarithm.
struct softmax {
  std::vector<double> weight;
  double lse = infinity;
};

softmax softmax_of(std::vector<double> logits) {
  if (logits.empty()) return {};
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - largest);
  for (double& logit : logits) logit = std::exp(logit - largest) / sum;
  return {.weight = std::move(logits), .lse = largest + std::log(sum)};
}

// 0 for an empty part, whose lse is +inf; exp(lse - merged) taken literally would be inf or NaN.
double merge_weight(float lse, double merged) {
  return lse == std::numeric_limits<float>::infinity() ? 0.0 : std::exp(lse - merged);
}

double merged_lse(double first, double second) {
  if (first == infinity) return second;
  if (second == infinity) return first;
  const double largest = std::max(first, second);
  return largest + std::log(std::exp(first - largest) + std::exp(second - largest));
}

}  // namespace

std::vector<double> absorbed_query(std::span<const float> query, std::span<const float> key_up, int heads,
                                   std::span<const float> cos, std::span<const float> sin) {
  const std::size_t per_head = query.size() / heads;
  const std::size_t nope = per_head - 2 * cos.size();
  const std::size_t kv_lora = key_up.size() / heads / nope;
  assert(per_head * heads == query.size() && kv_lora * nope * heads == key_up.size());
  std::vector<double> absorbed;
  for (int head = 0; head < heads; ++head) {
    const auto of_head = query.subspan(head * per_head, per_head);
    std::vector<double> latent(kv_lora);
    for (std::size_t i = 0; i < nope; ++i) {
      const auto row = key_up.subspan((head * nope + i) * kv_lora, kv_lora);
      for (std::size_t j = 0; j < kv_lora; ++j) latent[j] += double{of_head[i]} * row[j];
    }
    const std::vector<double> rotary = rotate(of_head.subspan(nope), cos, sin);
    absorbed.insert(absorbed.end(), latent.begin(), latent.end());
    absorbed.insert(absorbed.end(), rotary.begin(), rotary.end());
  }
  return absorbed;
}

std::vector<double> rotated_key(std::span<const float> rotary, std::span<const float> cos,
                                std::span<const float> sin) {
  return rotate(rotary, cos, sin);
}

attention_part attend_float_rows(std::span<const float> query, int heads, const float_rows& rows,
                                 double softmax_scale) {
  const std::size_t kv_lora = rows.format.kv_lora;
  const std::size_t rope = rows.format.rope;
  const std::size_t count = rows.latents.size() / kv_lora;
  assert(query.size() == heads * (kv_lora + rope) && rows.rotary.size() == count * rope);
  attention_part part{.output = std::vector<double>(heads * kv_lora), .lse = {}};
  for (int head = 0; head < heads; ++head) {
    const auto of_head = query.subspan(head * (kv_lora + rope), kv_lora + rope);
    std::vector<double> logits(count);
    for (std::size_t row = 0; row < count; ++row) {
      logits[row] =
          softmax_scale * (dot(of_head.first(kv_lora), rows.latents.subspan(row * kv_lora, kv_lora)) +
                           dot(of_head.subspan(kv_lora), rows.rotary.subspan(row * rope, rope)));
    }
    const softmax weights = softmax_of(std::move(logits));
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t i = 0; i < kv_lora; ++i) {
        part.output[head * kv_lora + i] += weights.weight[row] * rows.latents[row * kv_lora + i];
      }
    }
    part.lse.push_back(weights.lse);
  }
  return part;
}

attention_part attend_packed_rows(std::span<const float> query, int heads, const packed_rows& rows,
                                  std::span<const std::int32_t> selected, double softmax_scale) {
  const auto kv_lora = static_cast<std::size_t>(rows.format.kv_lora);
  const auto rope = static_cast<std::size_t>(rows.format.rope);
  const auto valid =
      static_cast<std::size_t>(std::ranges::count_if(selected, [](int row) { return row >= 0; }));
  std::vector<float> latents(valid * kv_lora);
  std::vector<float> rotary(valid * rope);
  std::size_t place = 0;
  for (const std::int32_t row : selected) {
    if (row < 0) continue;
    unpack_latent_row(rows.bytes.subspan(row * rows.pitch, rows.format.bytes()),
                      std::span(latents).subspan(place * kv_lora, kv_lora),
                      std::span(rotary).subspan(place * rope, rope));
    ++place;
  }
  return attend_float_rows(query, heads, {latents, rotary, rows.format}, softmax_scale);
}

attention_part merge_parts(const attention_part_view& first, const attention_part_view& second) {
  const std::size_t heads = first.lse.size();
  const std::size_t kv_lora = first.output.size() / heads;
  assert(second.lse.size() == heads && second.output.size() == first.output.size());
  attention_part merged{.output = std::vector<double>(first.output.size()), .lse = {}};
  for (std::size_t head = 0; head < heads; ++head) {
    const double lse = merged_lse(first.lse[head], second.lse[head]);
    const double weight0 = merge_weight(first.lse[head], lse);
    const double weight1 = merge_weight(second.lse[head], lse);
    for (std::size_t i = head * kv_lora; i < (head + 1) * kv_lora; ++i) {
      merged.output[i] = weight0 * first.output[i] + weight1 * second.output[i];
    }
    merged.lse.push_back(lse);
  }
  return merged;
}

std::vector<double> value_up_projection(std::span<const float> latent, std::span<const float> value_up,
                                        int heads) {
  const std::size_t kv_lora = latent.size() / heads;
  const std::size_t per_head = value_up.size() / heads;
  std::vector<double> values;
  for (int head = 0; head < heads; ++head) {
    const auto of_head =
        matrix_vector(value_up.subspan(head * per_head, per_head), latent.subspan(head * kv_lora, kv_lora));
    values.insert(values.end(), of_head.begin(), of_head.end());
  }
  return values;
}

}  // namespace ess::reference
