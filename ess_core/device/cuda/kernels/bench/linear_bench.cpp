// Every product of a layer, weights streamed from memory that no cache holds.
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"
#include "ess_core/device/cuda/kernels/linear.h"
#include "ess_core/model/weights.h"

namespace ess::ESS_CUDA::bench {
namespace {

enum class grouping { one, by_head, by_expert };

struct product_shape {
  std::string name;
  std::int64_t n, k;
  linear_output output = linear_output::assign;
  grouping grouped = grouping::one;
  int batch = 1;
  std::int64_t x_pitch = k, y_pitch = n;  // of a lane
  std::int64_t x_stride = 0, y_stride = 0;
};

constexpr int experts_here = 8;  // of one of 32 GPUs that share 256

std::vector<product_shape> shapes() {
  const model_dims& m = model();
  const auto of = [&m](const char* name, weight_kind kind, linear_output output = linear_output::assign) {
    const matrix_shape s = shape_of(m, kind);
    return product_shape{.name = name, .n = s.rows, .k = s.columns, .output = output};
  };
  const auto by_expert = [&of](const char* name, weight_kind kind) {
    product_shape s = of(name, kind);
    s.grouped = grouping::by_expert;
    s.batch = experts_here;
    return s;
  };
  const std::int64_t heads = m.heads;
  return {of("q_a", weight_kind::q_a),
          of("q_b", weight_kind::q_b),
          of("kv_a", weight_kind::kv_a),
          {.name = "k_up",
           .n = m.kv_lora,
           .k = m.nope,
           .grouped = grouping::by_head,
           .batch = m.heads,
           .x_pitch = heads * m.query_dim(),
           .y_pitch = heads * m.absorbed_dim(),
           .x_stride = m.query_dim(),
           .y_stride = m.absorbed_dim()},
          {.name = "v_up",
           .n = m.v,
           .k = m.kv_lora,
           .grouped = grouping::by_head,
           .batch = m.heads,
           .x_pitch = heads * m.kv_lora,
           .y_pitch = heads * m.v,
           .x_stride = m.kv_lora,
           .y_stride = m.v},
          of("out", weight_kind::out, linear_output::add),
          of("index_q", weight_kind::index_q),
          of("index_k", weight_kind::index_k),
          of("index_head_weight", weight_kind::index_head_weight),
          of("gate_up", weight_kind::gate_up),
          of("down", weight_kind::down, linear_output::add),
          of("router", weight_kind::router),
          by_expert("expert_gate_up", weight_kind::expert_gate_up),
          by_expert("expert_down", weight_kind::expert_down),
          of("shared_gate_up", weight_kind::shared_gate_up),
          of("shared_down", weight_kind::shared_down),
          of("draft_in", weight_kind::draft_in)};
}

// Experts get as many rows each as there are lanes.
std::vector<std::int32_t> starts_of(const product_shape& s, int lanes) {
  std::vector<std::int32_t> starts;
  for (int e = 0; e <= s.batch; ++e) starts.push_back(e * lanes);
  return starts;
}

void run(State& state, const product_shape& s, weight_format format, precision terms, int lanes) {
  linear_params p{.weights = nullptr,
                  .format = format,
                  .output = s.output,
                  .terms = terms,
                  .scale = 0x1p-4f,
                  .n = static_cast<int>(s.n),
                  .k = static_cast<int>(s.k),
                  .m = lanes,
                  .x = nullptr,
                  .ldx = s.x_pitch,
                  .y = nullptr,
                  .ldy = s.y_pitch,
                  .batch = s.batch,
                  .x_stride = s.x_stride,
                  .y_stride = s.y_stride};
  p.weights_stride = static_cast<std::int64_t>(packed_linear_bytes(format, p.n, p.k));
  const std::int64_t layer = p.weights_stride * s.batch;
  const std::int64_t layers = copies_beyond_cache(static_cast<double>(layer));
  const bytes weights =
      format == weight_format::bf16 ? random_bf16(layer * layers) : random_codes(layer * layers);
  const bool by_expert = s.grouped == grouping::by_expert;
  const std::int64_t rows = std::int64_t{lanes} * (by_expert ? s.batch : 1);
  const array<float> x = random_floats(rows * s.x_pitch), y(rows * s.y_pitch);
  const array<std::int32_t> starts(starts_of(s, lanes));
  p.x = x.data();
  p.y = y.data();
  if (by_expert) p.starts = starts.data();
  const bytes scratch(static_cast<std::int64_t>(linear_scratch_bytes(p)));
  p.scratch = scratch.data();
  const kernel_work work = by_expert ? work_of(p, static_cast<double>(rows), s.batch) : work_of(p);
  time_launches(state, work, layers, [&](std::int64_t i, cudaStream_t on) {
    linear_params of_layer = p;
    of_layer.weights = weights.data() + i % layers * layer;
    return linear(of_layer, on);
  });
}

}  // namespace

void add_linear() {
  for (const product_shape& s : shapes())
    for (const weight_format format : {weight_format::bf16, weight_format::e4m3})
      for (const precision terms : {precision::f32_like, precision::bf16})
        for (const batch_size b : batch_sizes())
          add(fmt::format("linear/{}/{}/{}/lanes:{}", s.name, format == weight_format::bf16 ? "bf16" : "e4m3",
                          name_of(terms), b.lanes()),
              [=](State& state) { run(state, s, format, terms, b.lanes()); });
}

}  // namespace ess::ESS_CUDA::bench
