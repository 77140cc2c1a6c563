// The weights of a model: random by seed, made matrix by matrix so that a reference can make any of them
// again. Matrices hold bf16 values, as checkpoints do: so a device that multiplies in bf16 has the same
// weights as one that computes in f32.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ess_core/model/dims.h"

namespace ess {

// Values are part of the reproducibility contract: append, never renumber.
enum class weight_kind : std::uint8_t {
  q_a,                // [q_lora][hidden]
  q_b,                // [heads x (nope + rope)][q_lora]: per head nope, then rope
  kv_a,               // [kv_lora + rope][hidden]
  k_up,               // [heads x nope][kv_lora]: absorbs the query, q_c = q_nope k_up[h]
  v_up,               // [heads x v][kv_lora]
  out,                // [hidden][heads x v]
  index_q,            // [index_heads x index_dim][q_lora]
  index_k,            // [index_dim][hidden]
  index_k_norm,       // [2][index_dim]: LayerNorm's weight, then its bias
  index_head_weight,  // [index_heads][hidden]
  gate_up,            // [2 x dense_width][hidden]: gate, then up
  down,               // [hidden][dense_width]
  router,             // [experts][hidden]
  router_bias,        // [1][experts]: added to scores where experts are chosen, not where they are weighed
  expert_gate_up,     // [2 x width][hidden] of one routed expert: gate, then up
  expert_down,        // [hidden][width]
  shared_gate_up,     // [2 x shared width][hidden]
  shared_down,        // [hidden][shared width]
  draft_in,           // [hidden][2 x hidden] of a draft layer: hidden state, then the next token's embedding
};
inline constexpr int weight_kind_count = static_cast<int>(weight_kind::draft_in) + 1;

struct matrix_shape {
  std::int64_t rows = 0;     // outputs
  std::int64_t columns = 0;  // inputs
  [[nodiscard]] std::int64_t size() const { return rows * columns; }
};

[[nodiscard]] matrix_shape shape_of(const model_dims& model, weight_kind kind);
// How many such matrices a layer has: 1, one for each routed expert, 0 where it has another feed-forward or
// drafts nothing.
[[nodiscard]] int matrices_of(const model_dims& model, std::int32_t layer, weight_kind kind);
// Fills `out` ([rows][columns], y = W x) with the weights of `seed`; `expert` counts those of expert_*.
void fill_weights(const model_dims& model, std::uint64_t seed, std::int32_t layer, weight_kind kind,
                  std::span<float> out, std::int32_t expert = 0);
[[nodiscard]] std::vector<float> make_weights(const model_dims& model, std::uint64_t seed, std::int32_t layer,
                                              weight_kind kind, std::int32_t expert = 0);
// k_up as products y = W x that absorb a query: [heads][kv_lora][nope].
[[nodiscard]] std::vector<float> make_absorbing_k_up(const model_dims& model, std::uint64_t seed,
                                                     std::int32_t layer);

// The hidden state that enters a step is made of four equal blocks: a part fixed per request, a slow one, a
// fast one, and noise (ess_core/engine/open_loop.h). How much of each a layer's queries see decides its
// locality.
inline constexpr int hidden_parts = 4;
struct query_mix {
  std::array<float, hidden_parts> amplitude;  // fixed, slow, fast, noise; squares sum to 1
};
[[nodiscard]] query_mix mix_of_layer(std::int32_t layer);

}  // namespace ess
