#include "ess_core/model/dims.h"

#include <algorithm>
#include <cmath>

namespace ess {

std::string moe_dims::fault() const {
  if (experts % groups != 0) {
    return std::to_string(experts) + " experts do not form " + std::to_string(groups) + " equal groups";
  }
  const int candidates = experts / groups * top_groups;
  if (candidates >= top_k) return {};
  return "the router chooses " + std::to_string(top_k) + " experts among " + std::to_string(candidates) +
         ", those of " + std::to_string(top_groups) + " of " + std::to_string(groups) + " groups";
}

expert_range experts_of(const moe_dims& moe, int rank, int ranks) {
  return {.first = moe.experts * rank / ranks, .end = moe.experts * (rank + 1) / ranks};
}

int most_copies_to_a_rank(const moe_dims& moe, int ranks) {
  return std::min(moe.top_k, (moe.experts + ranks - 1) / ranks);
}

int model_dims::weights_layer(int layer) const {
  if (distinct_layers == 0 || is_draft_layer(layer)) return layer;
  const int first = is_moe_layer(layer) ? std::min(dense_layers, layers) : 0;
  return first + (layer - first) % distinct_layers;
}

double model_dims::softmax_scale() const {
  const double plain = 1.0 / std::sqrt(static_cast<double>(query_dim()));
  if (rotary.factor <= 1.0) return plain;
  const double mscale = 0.1 * std::log(rotary.factor) + 1.0;
  return plain * mscale * mscale;
}

byte_count model_dims::latent_row_bytes() const { return {kv_lora + 4 * ((kv_lora + 127) / 128) + 2 * rope}; }

byte_count model_dims::index_key_bytes() const { return {index_heads > 0 ? index_dim + 4 : 0}; }

std::int64_t model_dims::attention_parameters() const {
  const std::int64_t h = hidden;
  const std::int64_t query = h * q_lora + std::int64_t{q_lora} * heads * query_dim();
  const std::int64_t latent = h * absorbed_dim();
  const std::int64_t absorb = std::int64_t{heads} * kv_lora * (nope + v);
  const std::int64_t out = std::int64_t{heads} * v * h;
  const std::int64_t index = std::int64_t{q_lora} * index_heads * index_dim + h * index_dim + h * index_heads;
  return query + latent + absorb + out + index;
}

std::int64_t model_dims::feed_forward_parameters(int layer) const {
  if (!is_moe_layer(layer)) return 3 * std::int64_t{hidden} * dense_width;
  const std::int64_t expert = 3 * std::int64_t{hidden} * moe.width;
  return expert * (moe.experts + moe.shared_experts) + std::int64_t{hidden} * moe.experts;
}

std::int64_t model_dims::parameters() const {
  std::int64_t sum = 0;
  for (int layer = 0; layer < layers; ++layer) sum += attention_parameters() + feed_forward_parameters(layer);
  return sum + draft_layers * 2 * std::int64_t{hidden} * hidden;
}

std::int64_t model_dims::parameters_of_a_rank(int ranks) const {
  const std::int64_t elsewhere = moe.experts - (moe.experts + ranks - 1) / ranks;
  std::int64_t moe_layers = 0;
  for (int layer = 0; layer < layers; ++layer) moe_layers += is_moe_layer(layer) ? 1 : 0;
  return parameters() - moe_layers * elsewhere * 3 * hidden * moe.width;
}

byte_count served_weight_bytes(const model_dims& m, int expert_ranks) {
  const std::int64_t routed = 3 * std::int64_t{m.hidden} * m.moe.width * m.moe.experts;
  const std::int64_t absorb = std::int64_t{m.heads} * m.kv_lora * (m.nope + m.v);
  std::int64_t bytes =
      2 * 2 * std::int64_t{m.vocabulary} * m.hidden + m.draft_layers * 2 * std::int64_t{m.hidden} * m.hidden;
  for (int layer = 0; layer < m.layers; ++layer) {
    bytes += m.attention_parameters() + absorb + m.feed_forward_parameters(layer);
    if (m.is_moe_layer(layer)) bytes -= routed - routed / expert_ranks;
  }
  return {bytes};
}

model_dims with_draft_layers(model_dims model) {
  model.layers += model.mtp_layers;
  model.draft_layers = model.mtp_layers;
  return model;
}

}  // namespace ess
