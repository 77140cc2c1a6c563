#include "ess_core/device/cuda/weights.h"

#include <algorithm>

#include "ess_core/base/parallel.h"
#include "ess_core/model/weights.h"

namespace ess::ESS_CUDA {
namespace {

device_memory upload(std::span<const std::byte> bytes) {
  device_memory out(bytes.size());
  check("cudaMemcpy of weights", cudaMemcpy(out.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
  return out;
}

device_memory upload_floats(const std::vector<float>& values) {
  return values.empty() ? device_memory() : upload(std::as_bytes(std::span(values)));
}

// matrices: [count][n][k]. The format holds the weights of this project exactly (model/weights.h).
packed_weights pack(const std::vector<float>& matrices, int count, matrix_shape shape, weight_values values) {
  packed_weights out{.format = values == weight_values::e4m3 ? weight_format::e4m3 : weight_format::bf16,
                     .n = static_cast<int>(shape.rows),
                     .k = static_cast<int>(shape.columns),
                     .count = count};
  const std::size_t each = packed_linear_bytes(out.format, out.n, out.k);
  out.stride = static_cast<std::int64_t>(each);
  out.scale = linear_scale(matrices, out.format);
  std::vector<std::uint8_t> packed(each * static_cast<std::size_t>(count));
  const auto size = static_cast<std::size_t>(shape.size());
  constexpr int rows_at_once = 8 * linear_group;
  const auto parts = static_cast<std::size_t>((out.n + rows_at_once - 1) / rows_at_once);
  for_each_parallel(static_cast<std::size_t>(count) * parts, 0, [&](std::size_t i) {
    const int first = static_cast<int>(i % parts) * rows_at_once;
    const int rows = std::min(rows_at_once, out.n - first);
    const std::size_t from =
        i / parts * size + static_cast<std::size_t>(first) * static_cast<std::size_t>(out.k);
    pack_linear(
        std::span(matrices).subspan(from, static_cast<std::size_t>(rows) * static_cast<std::size_t>(out.k)),
        rows, out.k, out.format, out.scale,
        std::span(packed).subspan(i / parts * each + packed_linear_bytes(out.format, first, out.k),
                                  packed_linear_bytes(out.format, rows, out.k)));
  });
  out.bytes = upload(std::as_bytes(std::span(packed)));
  return out;
}

class layer_maker {
 public:
  layer_maker(const model_dims& model, std::uint64_t seed, std::int32_t layer, expert_range held)
      : model_(model), seed_(seed), layer_(layer), held_(held) {}

  [[nodiscard]] layer_weights make() const {
    return {.q_a = of(weight_kind::q_a),
            .q_b = of(weight_kind::q_b),
            .kv_a = of(weight_kind::kv_a),
            .out = of(weight_kind::out),
            .index_q = of(weight_kind::index_q),
            .index_k = of(weight_kind::index_k),
            .index_head_weight = of(weight_kind::index_head_weight),
            .k_up = pack(make_absorbing_k_up(model_, seed_, layer_), model_.heads,
                         {model_.kv_lora, model_.nope}, model_.weights),
            .v_up = pack(values(weight_kind::v_up), model_.heads, {model_.v, model_.kv_lora}, model_.weights),
            .dense = {of(weight_kind::gate_up), of(weight_kind::down)},
            .experts = {of_held(weight_kind::expert_gate_up), of_held(weight_kind::expert_down)},
            .shared = {of(weight_kind::shared_gate_up), of(weight_kind::shared_down)},
            .router = of(weight_kind::router),
            .draft_in = of(weight_kind::draft_in),
            .router_bias = upload_floats(values(weight_kind::router_bias)),
            .index_k_norm = upload_floats(values(weight_kind::index_k_norm))};
  }

 private:
  // So many matrices of a kind, one after the other.
  [[nodiscard]] std::vector<float> values(weight_kind kind, int first, int count) const {
    const auto size = static_cast<std::size_t>(shape_of(model_, kind).size());
    std::vector<float> out(size * static_cast<std::size_t>(count));
    for_each_parallel(static_cast<std::size_t>(count), 0, [&](std::size_t i) {
      fill_weights(model_, seed_, layer_, kind, std::span(out).subspan(i * size, size),
                   first + static_cast<std::int32_t>(i));
    });
    return out;
  }
  [[nodiscard]] std::vector<float> values(weight_kind kind) const {
    return values(kind, 0, matrices_of(model_, layer_, kind));
  }
  [[nodiscard]] packed_weights of_held(weight_kind kind) const {
    if (matrices_of(model_, layer_, kind) == 0) return {};
    return pack(values(kind, held_.first, held_.count()), held_.count(), shape_of(model_, kind),
                model_.weights);
  }
  [[nodiscard]] packed_weights of(weight_kind kind) const {
    const int count = matrices_of(model_, layer_, kind);
    return count == 0 ? packed_weights{} : pack(values(kind), count, shape_of(model_, kind), model_.weights);
  }

  const model_dims& model_;
  std::uint64_t seed_;
  std::int32_t layer_;
  expert_range held_;
};

device_memory copy_of(const device_memory& from) {
  device_memory out(from.size());
  if (from.size() > 0)
    check("cudaMemcpy of weights",
          cudaMemcpy(out.data(), from.data(), from.size(), cudaMemcpyDeviceToDevice));
  return out;
}

packed_weights copy_of(const packed_weights& from) {
  return {.bytes = copy_of(from.bytes),
          .format = from.format,
          .scale = from.scale,
          .n = from.n,
          .k = from.k,
          .count = from.count,
          .stride = from.stride};
}

gated_weights copy_of(const gated_weights& from) { return {copy_of(from.gate_up), copy_of(from.down)}; }

// In memory of its own: a layer that repeats another's weights takes as much room and time as it.
layer_weights copy_of(const layer_weights& w) {
  return {.q_a = copy_of(w.q_a),
          .q_b = copy_of(w.q_b),
          .kv_a = copy_of(w.kv_a),
          .out = copy_of(w.out),
          .index_q = copy_of(w.index_q),
          .index_k = copy_of(w.index_k),
          .index_head_weight = copy_of(w.index_head_weight),
          .k_up = copy_of(w.k_up),
          .v_up = copy_of(w.v_up),
          .dense = copy_of(w.dense),
          .experts = copy_of(w.experts),
          .shared = copy_of(w.shared),
          .router = copy_of(w.router),
          .draft_in = copy_of(w.draft_in),
          .router_bias = copy_of(w.router_bias),
          .index_k_norm = copy_of(w.index_k_norm)};
}

}  // namespace

std::shared_ptr<const model_weights> weights_cache::get(const model_dims& model, std::uint64_t seed,
                                                        expert_range held) {
  return recent_.get(model, seed, held, [&](model_weights& made) {
    for (std::int32_t layer = 0; layer < model.layers; ++layer) {
      const std::int32_t same = model.weights_layer(layer);
      made.layers.push_back(same < layer ? copy_of(made.layers[static_cast<std::size_t>(same)])
                                         : layer_maker(model, seed, layer, held).make());
    }
  });
}

}  // namespace ess::ESS_CUDA
