#include "ess_core/model/weights.h"

#include <cmath>

#include "ess_core/base/random.h"

namespace ess {
namespace {

// Layers add a little to the residual stream, as in a trained model, so that a step's input stays
// recognisable.
constexpr float residual_gain = 0.1f;
// Keys of new tokens follow what is new in the hidden state; else they would resemble each other.
constexpr query_mix key_mix = {{0.2f, 0.2f, 0.4f, 0.8718f}};

float gain_of(weight_kind kind) {
  return kind == weight_kind::out || kind == weight_kind::down ? residual_gain : 1.0f;
}

// Scales the four blocks of hidden columns; a factor of 2 keeps the variance, since each block is a quarter.
void apply_mix(const query_mix& mix, matrix_shape shape, std::span<float> out) {
  const std::int64_t block = (shape.columns + hidden_parts - 1) / hidden_parts;
  for (std::int64_t i = 0; i < shape.size(); ++i) {
    const auto part = static_cast<std::size_t>(i % shape.columns / block);
    out[static_cast<std::size_t>(i)] *= 2.0f * mix.amplitude[part];
  }
}

void fill_norm(std::int64_t dims, std::span<float> out) {
  for (std::int64_t i = 0; i < dims; ++i) {
    float& weight = out[static_cast<std::size_t>(i)];
    float& bias = out[static_cast<std::size_t>(dims + i)];
    weight = 1.0f + 0.1f * weight;
    bias *= 0.1f;
  }
}

}  // namespace

matrix_shape shape_of(const model_dims& m, weight_kind kind) {
  switch (kind) {
    case weight_kind::q_a:
      return {m.q_lora, m.hidden};
    case weight_kind::q_b:
      return {std::int64_t{m.heads} * m.query_dim(), m.q_lora};
    case weight_kind::kv_a:
      return {m.absorbed_dim(), m.hidden};
    case weight_kind::k_up:
      return {std::int64_t{m.heads} * m.nope, m.kv_lora};
    case weight_kind::v_up:
      return {std::int64_t{m.heads} * m.v, m.kv_lora};
    case weight_kind::out:
      return {m.hidden, std::int64_t{m.heads} * m.v};
    case weight_kind::index_q:
      return {std::int64_t{m.index_heads} * m.index_dim, m.q_lora};
    case weight_kind::index_k:
      return {m.index_dim, m.hidden};
    case weight_kind::index_k_norm:
      return {2, m.index_dim};
    case weight_kind::index_head_weight:
      return {m.index_heads, m.hidden};
    case weight_kind::gate_up:
      return {2 * std::int64_t{m.dense_width}, m.hidden};
    case weight_kind::down:
      return {m.hidden, m.dense_width};
  }
  return {};
}

void fill_weights(const model_dims& model, std::uint64_t seed, std::int32_t layer, weight_kind kind,
                  std::span<float> out) {
  const matrix_shape shape = shape_of(model, kind);
  const auto stream = static_cast<std::uint32_t>(layer) * 64 + static_cast<std::uint32_t>(kind);
  counter_rng(seed, purpose::weights, stream).fill_unit_variance(out, 0);
  if (kind == weight_kind::index_k_norm) return fill_norm(model.index_dim, out);
  const std::int64_t inputs = kind == weight_kind::k_up ? model.nope : shape.columns;
  const float scale = gain_of(kind) / std::sqrt(static_cast<float>(inputs));
  for (float& w : out) w *= scale;
  if (kind == weight_kind::q_a || kind == weight_kind::index_head_weight) {
    apply_mix(mix_of_layer(layer), shape, out);
  } else if (kind == weight_kind::index_k || kind == weight_kind::kv_a) {
    apply_mix(key_mix, shape, out);
  }
}

std::vector<float> make_weights(const model_dims& model, std::uint64_t seed, std::int32_t layer,
                                weight_kind kind) {
  std::vector<float> out(static_cast<std::size_t>(shape_of(model, kind).size()));
  fill_weights(model, seed, layer, kind, out);
  return out;
}

// Layers differ in how fast their selection changes, by up to a fifth either way, in no order of depth. The
// mean puts step overlap and misses of `mini` at ratio 0.2 where the paper has them (docs/method.md,
// "Locality").
query_mix mix_of_layer(std::int32_t layer) {
  const float swing = 1.0f + 0.4f * (static_cast<float>(layer * 5 % 8) / 7.0f - 0.5f);
  const float slow = 0.12f * swing;
  const float fast = 0.10f * swing;
  const float noise = 0.25f * swing;
  const float fixed = std::sqrt(1.0f - slow * slow - fast * fast - noise * noise);
  return {{fixed, slow, fast, noise}};
}

}  // namespace ess
