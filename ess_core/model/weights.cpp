#include "ess_core/model/weights.h"

#include <algorithm>
#include <cmath>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/base/parallel.h"
#include "ess_core/base/random.h"

namespace ess {
namespace {

// Layers add a little to the residual stream, as in a trained model, so that a step's input stays
// recognisable.
constexpr float residual_gain = 0.1f;
// Keys of new tokens follow what is new in the hidden state; else they would resemble each other.
constexpr query_mix key_mix = {{0.2f, 0.2f, 0.4f, 0.8718f}};

// From the random numbers of one expert to those of the next: more than any matrix has, so that an expert's
// weights do not depend on how wide it is.
constexpr std::uint64_t blocks_apart = std::uint64_t{1} << 32;
// A quarter of the spread of the scores (logits of variance 1 make sigmoids of deviation 0.2): experts next
// to the threshold change places, no expert takes all.
constexpr float router_bias_deviation = 0.05f;

float gain_of(weight_kind kind) {
  switch (kind) {
    case weight_kind::out:
    case weight_kind::down:
    case weight_kind::expert_down:
    case weight_kind::shared_down:
    case weight_kind::draft_in:
      return residual_gain;
    default:
      return 1.0f;
  }
}

// Scales the four blocks of hidden columns; a factor of 2 keeps the variance, since each block is a quarter.
// `out`: whole rows.
void apply_mix(const query_mix& mix, std::int64_t columns, std::span<float> out) {
  const std::int64_t block = (columns + hidden_parts - 1) / hidden_parts;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto part = static_cast<std::size_t>(static_cast<std::int64_t>(i) % columns / block);
    out[i] *= 2.0f * mix.amplitude[part];
  }
}

// Both inputs go through, half of the variance each: the blocks of the hidden state stay what they are.
void add_both_inputs(matrix_shape shape, std::int64_t first_row, std::span<float> out) {
  constexpr float half = 0.70710678f;
  for (std::int64_t row = first_row; (row - first_row) * shape.columns < std::ssize(out); ++row) {
    for (const std::int64_t column : {row, shape.rows + row})
      out[static_cast<std::size_t>((row - first_row) * shape.columns + column)] += half;
  }
}

// The largest that a weight can be before it is rounded, and so the power of two that it is stored times.
float e4m3_unit(float largest) { return std::exp2(std::ceil(std::log2(largest / 448.0f))); }

void round_weights(weight_values to, float largest, std::span<float> out) {
  const float unit = e4m3_unit(largest);
  for (float& w : out)
    w = to == weight_values::bf16 ? round_to_bf16(w) : e4m3_to_float(float_to_e4m3(w / unit)) * unit;
}

// What no weight of a kind exceeds: values before scaling are below sqrt(3), a mix at most doubles, and
// draft_in adds to one of a row.
float largest_of(weight_kind kind, float scale) {
  return 2.0f * 1.7320508f * scale + (kind == weight_kind::draft_in ? 0.70710678f : 0.0f);
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
    case weight_kind::router:
      return {m.moe.experts, m.hidden};
    case weight_kind::router_bias:
      return {1, m.moe.experts};
    case weight_kind::expert_gate_up:
      return {2 * std::int64_t{m.moe.width}, m.hidden};
    case weight_kind::expert_down:
      return {m.hidden, m.moe.width};
    case weight_kind::shared_gate_up:
      return {2 * std::int64_t{m.shared_width()}, m.hidden};
    case weight_kind::shared_down:
      return {m.hidden, m.shared_width()};
    case weight_kind::draft_in:
      return {m.hidden, 2 * std::int64_t{m.hidden}};
  }
  return {};
}

int matrices_of(const model_dims& m, std::int32_t layer, weight_kind kind) {
  const bool moe = m.is_moe_layer(layer);
  switch (kind) {
    case weight_kind::gate_up:
    case weight_kind::down:
      return moe ? 0 : 1;
    case weight_kind::router:
    case weight_kind::router_bias:
      return moe ? 1 : 0;
    case weight_kind::expert_gate_up:
    case weight_kind::expert_down:
      return moe ? m.moe.experts : 0;
    case weight_kind::shared_gate_up:
    case weight_kind::shared_down:
      return moe && m.moe.shared_experts > 0 ? 1 : 0;
    case weight_kind::draft_in:
      return m.is_draft_layer(layer) ? 1 : 0;
    default:
      return 1;
  }
}

void fill_weights(const model_dims& model, std::uint64_t seed, std::int32_t of_layer, weight_kind kind,
                  std::span<float> out, std::int32_t expert) {
  const std::int32_t layer = model.weights_layer(of_layer);
  const matrix_shape shape = shape_of(model, kind);
  const auto stream = static_cast<std::uint32_t>(layer) * 64 + static_cast<std::uint32_t>(kind);
  const auto first_block = static_cast<std::uint64_t>(expert) * blocks_apart;
  const counter_rng rng(seed, purpose::weights, stream);
  if (kind == weight_kind::index_k_norm || kind == weight_kind::router_bias) {
    rng.fill_unit_variance(out, first_block);
    if (kind == weight_kind::index_k_norm) return fill_norm(model.index_dim, out);
    for (float& bias : out) bias *= router_bias_deviation;
    return;
  }
  const std::int64_t inputs = kind == weight_kind::k_up ? model.nope : shape.columns;
  const float scale = gain_of(kind) / std::sqrt(static_cast<float>(inputs));
  constexpr std::int64_t rows_at_once = 64;  // a random block makes 8 values: parts begin with whole ones
  const std::int64_t parts = (shape.rows + rows_at_once - 1) / rows_at_once;
  for_each_parallel(static_cast<std::size_t>(parts), shape.size() < 1'000'000 ? 1 : 0, [&](std::size_t i) {
    const std::int64_t row = static_cast<std::int64_t>(i) * rows_at_once;
    const std::int64_t rows = std::min(rows_at_once, shape.rows - row);
    const std::span<float> part = out.subspan(static_cast<std::size_t>(row * shape.columns),
                                              static_cast<std::size_t>(rows * shape.columns));
    rng.fill_unit_variance(part, first_block + static_cast<std::uint64_t>(row * shape.columns / 8));
    for (float& w : part) w *= scale;
    if (kind == weight_kind::q_a || kind == weight_kind::index_head_weight) {
      apply_mix(mix_of_layer(layer), shape.columns, part);
    } else if (kind == weight_kind::index_k || kind == weight_kind::kv_a) {
      apply_mix(key_mix, shape.columns, part);
    } else if (kind == weight_kind::draft_in) {
      add_both_inputs(shape, row, part);
    }
    round_weights(model.weights, largest_of(kind, scale), part);
  });
}

std::vector<float> make_weights(const model_dims& model, std::uint64_t seed, std::int32_t layer,
                                weight_kind kind, std::int32_t expert) {
  std::vector<float> out(static_cast<std::size_t>(shape_of(model, kind).size()));
  fill_weights(model, seed, layer, kind, out, expert);
  return out;
}

std::vector<float> make_absorbing_k_up(const model_dims& model, std::uint64_t seed, std::int32_t layer) {
  const std::vector<float> stored = make_weights(model, seed, layer, weight_kind::k_up);
  const auto rows = static_cast<std::size_t>(model.kv_lora);
  const auto columns = static_cast<std::size_t>(model.nope);
  std::vector<float> out(stored.size());
  for (std::size_t head = 0; head < static_cast<std::size_t>(model.heads); ++head) {
    const std::size_t first = head * rows * columns;
    for (std::size_t c = 0; c < columns; ++c) {
      for (std::size_t r = 0; r < rows; ++r) out[first + r * columns + c] = stored[first + c * rows + r];
    }
  }
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
