// What lies between the products: norms, and values to their codes. Operands are small enough to stay in a
// cache, as in a step, so times can be shorter than the floor of memory.
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"
#include "ess_core/device/cuda/kernels/index_codec.h"
#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/device/cuda/kernels/row_codec.h"

namespace ess::ESS_CUDA::bench {
namespace {

void run_rms_norm(State& state, int rows, int n) {
  const array<float> x = random_floats(std::int64_t{rows} * n), out(std::int64_t{rows} * n);
  const rms_norm_params p{
      .x = x.data(), .x_pitch = n, .out = out.data(), .out_pitch = n, .rows = rows, .n = n};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return rms_norm(p, on); });
}

void run_silu_multiply(State& state, int rows, int width) {
  const std::int64_t pitch = 2 * std::int64_t{width};
  const array<float> gate_up = random_floats(rows * pitch), out(rows * pitch);
  const silu_multiply_params p{.gate_up = gate_up.data(),
                               .pitch = pitch,
                               .out = out.data(),
                               .out_pitch = pitch,
                               .rows = rows,
                               .width = width};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return silu_multiply(p, on); });
}

void run_add_rows(State& state, int rows, int n) {
  const array<float> x = random_floats(std::int64_t{rows} * n), y(std::int64_t{rows} * n);
  const add_rows_params p{.x = x.data(), .x_pitch = n, .y = y.data(), .y_pitch = n, .rows = rows, .n = n};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return add_rows(p, on); });
}

// Requests somewhere in a context, and the tables of all positions.
struct scene {
  explicit scene(batch_size size) : b(size) {}

  batch_size b;
  token_id context = static_cast<token_id>(sized(32'768, 128));
  array<seat_state> seats{seats_at(b.seats, context - b.queries, 0, context)};
  array<float> cos = random_floats(std::int64_t{context} * (model().rope / 2));
  array<float> sin = random_floats(std::int64_t{context} * (model().rope / 2));

  [[nodiscard]] lane_slice lanes() const { return all_lanes(seats.data(), b); }
  [[nodiscard]] rotation_table rotation() const { return {cos.data(), sin.data()}; }
};

void run_index_keys(State& state, batch_size b) {
  const scene s(b);
  const array<float> raw = random_floats(std::int64_t{b.lanes()} * index_dim);
  const array<float> norm = random_floats(2 * index_dim);
  const bytes keys(std::int64_t{b.lanes()} * index_key_bytes);
  const index_keys_params p{.lanes = s.lanes(),
                            .rotation = s.rotation(),
                            .raw = raw.data(),
                            .raw_pitch = index_dim,
                            .norm = norm.data(),
                            .keys = keys.data()};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return index_keys(p, on); });
}

void run_index_queries(State& state, batch_size b) {
  const scene s(b);
  const int heads = model().index_heads;
  const std::int64_t vectors = std::int64_t{b.lanes()} * heads;
  const array<float> raw = random_floats(vectors * index_dim), weight = random_floats(vectors);
  const bytes queries(vectors * index_dim);
  const index_queries_params p{.lanes = s.lanes(),
                               .rotation = s.rotation(),
                               .heads = heads,
                               .raw = raw.data(),
                               .raw_pitch = std::int64_t{heads} * index_dim,
                               .queries = queries.data(),
                               .weight = weight.data()};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return index_queries(p, on); });
}

void run_append_keys(State& state, batch_size b) {
  const scene s(b);
  const bytes keys = random_codes(std::int64_t{b.lanes()} * index_key_bytes);
  const bytes pages(index_page_format{}.bytes_for(std::int64_t{b.seats} * s.context));
  const append_keys_params p{.lanes = s.lanes(), .keys = keys.data(), .pages = pages.data()};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return append_keys(p, on); });
}

void run_latent_rows(State& state, batch_size b) {
  const scene s(b);
  const model_dims& m = model();
  const array<float> raw = random_floats(std::int64_t{b.lanes()} * m.absorbed_dim());
  const bytes rows(b.lanes() * m.latent_row_bytes().value);
  const latent_rows_params p{.lanes = s.lanes(),
                             .rotation = s.rotation(),
                             .kv_lora = m.kv_lora,
                             .rope = m.rope,
                             .raw = raw.data(),
                             .raw_pitch = m.absorbed_dim(),
                             .rows = rows.data(),
                             .row_bytes = m.latent_row_bytes().value};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return latent_rows(p, on); });
}

void run_rotate_query(State& state, batch_size b) {
  const scene s(b);
  const model_dims& m = model();
  const std::int64_t heads = std::int64_t{b.lanes()} * m.heads;
  const array<float> projected = random_floats(heads * m.query_dim()), query(heads * m.absorbed_dim());
  const rotate_query_params p{.lanes = s.lanes(),
                              .rotation = s.rotation(),
                              .heads = m.heads,
                              .nope = m.nope,
                              .kv_lora = m.kv_lora,
                              .rope = m.rope,
                              .projected = projected.data(),
                              .pitch = std::int64_t{m.heads} * m.query_dim(),
                              .query = query.data()};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return rotate_query(p, on); });
}

}  // namespace

void add_elementwise() {
  const model_dims& m = model();
  for (const batch_size b : batch_sizes()) {
    const std::string lanes = fmt::format("/lanes:{}", b.lanes());
    for (const int n : {m.hidden, m.q_lora})
      add(fmt::format("rms_norm/n:{}{}", n, lanes), [=](State& state) { run_rms_norm(state, b.lanes(), n); });
    add(fmt::format("silu_multiply/width:{}{}", m.dense_width, lanes),
        [=, width = m.dense_width](State& state) { run_silu_multiply(state, b.lanes(), width); });
    add(fmt::format("silu_multiply/width:{}/by_expert{}", m.moe.width, lanes),
        [=, width = m.moe.width, each = m.moe.top_k](State& state) {
          run_silu_multiply(state, b.lanes() * each, width);
        });
    add("add_rows" + lanes, [=, n = m.hidden](State& state) { run_add_rows(state, b.lanes(), n); });
    add("index_keys" + lanes, [=](State& state) { run_index_keys(state, b); });
    add("index_queries" + lanes, [=](State& state) { run_index_queries(state, b); });
    add("append_keys" + lanes, [=](State& state) { run_append_keys(state, b); });
    add("latent_rows" + lanes, [=](State& state) { run_latent_rows(state, b); });
    add("rotate_query" + lanes, [=](State& state) { run_rotate_query(state, b); });
  }
}

}  // namespace ess::ESS_CUDA::bench
