#include "ess_core/device/cpu/weights.h"

#include "ess_core/model/weights.h"

namespace ess::cpu {
namespace {

packed_matrix pack(const model_dims& model, std::uint64_t seed, std::int32_t layer, weight_kind kind,
                   std::int32_t expert = 0) {
  if (matrices_of(model, layer, kind) == 0) return {};
  const matrix_shape shape = shape_of(model, kind);
  return packed_matrix(make_weights(model, seed, layer, kind, expert).data(), static_cast<int>(shape.rows),
                       static_cast<int>(shape.columns));
}

std::vector<gated_weights> pack_experts(const model_dims& model, std::uint64_t seed, std::int32_t layer,
                                        expert_range held) {
  const auto packed = [&](weight_kind kind, std::int32_t expert) {
    return pack(model, seed, layer, kind, expert);
  };
  std::vector<gated_weights> out;
  for (int e = 0; e < matrices_of(model, layer, weight_kind::expert_down); ++e) {
    const bool here = e >= held.first && e < held.end;
    out.push_back(
        here ? gated_weights{packed(weight_kind::expert_gate_up, e), packed(weight_kind::expert_down, e)}
             : gated_weights{});
  }
  if (matrices_of(model, layer, weight_kind::shared_down) > 0) {
    out.push_back({packed(weight_kind::shared_gate_up, 0), packed(weight_kind::shared_down, 0)});
  }
  return out;
}

// all: [heads][rows][columns].
std::vector<packed_matrix> pack_heads(const std::vector<float>& all, int heads, int rows, int columns) {
  std::vector<packed_matrix> out;
  for (int head = 0; head < heads; ++head)
    out.emplace_back(all.data() + std::ptrdiff_t{head} * rows * columns, rows, columns);
  return out;
}

layer_weights make_layer(const model_dims& model, std::uint64_t seed, std::int32_t layer, expert_range held) {
  const auto packed = [&](weight_kind kind) { return pack(model, seed, layer, kind); };
  return {.q_a = packed(weight_kind::q_a),
          .q_b = packed(weight_kind::q_b),
          .kv_a = packed(weight_kind::kv_a),
          .out = packed(weight_kind::out),
          .index_q = packed(weight_kind::index_q),
          .index_k = packed(weight_kind::index_k),
          .index_head_weight = packed(weight_kind::index_head_weight),
          .dense = {packed(weight_kind::gate_up), packed(weight_kind::down)},
          .draft_in = packed(weight_kind::draft_in),
          .router = packed(weight_kind::router),
          .router_bias = make_weights(model, seed, layer, weight_kind::router_bias),
          .experts = pack_experts(model, seed, layer, held),
          .k_up = pack_heads(make_absorbing_k_up(model, seed, layer), model.heads, model.kv_lora, model.nope),
          .v_up = pack_heads(make_weights(model, seed, layer, weight_kind::v_up), model.heads, model.v,
                             model.kv_lora),
          .index_k_norm = make_weights(model, seed, layer, weight_kind::index_k_norm)};
}

}  // namespace

std::shared_ptr<const model_weights> weights_cache::get(const model_dims& model, std::uint64_t seed,
                                                        expert_range held) {
  return recent_.get(model, seed, held, [&](model_weights& made) {
    for (std::int32_t layer = 0; layer < model.layers; ++layer)
      made.layers.push_back(make_layer(model, seed, layer, held));
  });
}

}  // namespace ess::cpu
