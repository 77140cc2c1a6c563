// A mixture of experts but for its products.
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"
#include "ess_core/device/cuda/kernels/choose_experts.h"

namespace ess::ESS_CUDA::bench {
namespace {

// A step's buffers, as the router and the grouping leave them.
struct scene {
  explicit scene(batch_size size) : b(size) {
    check("launch of choose_experts", choose_experts(choosing(), nullptr));
    check("launch of group_by_expert", group_by_expert(grouping(), nullptr));
  }

  batch_size b;
  const model_dims& m = model();
  std::int64_t lanes = b.lanes(), copies = m.experts_per_token();
  array<float> scores = random_floats(lanes * m.moe.experts);
  array<float> bias = random_floats(m.moe.experts);
  array<expert_choice> choice{lanes * m.moe.top_k};
  array<std::int32_t> starts{m.moe.experts + std::int64_t{2}};
  array<std::int32_t> rows{lanes * copies};
  array<float> hidden = random_floats(lanes * m.hidden);
  array<float> by_expert = random_floats(lanes * copies * m.hidden);

  [[nodiscard]] lane_slice slice() const { return all_lanes(nullptr, b); }
  [[nodiscard]] choose_experts_params choosing() const {
    return {.lanes = slice(),
            .experts = m.moe.experts,
            .top_k = m.moe.top_k,
            .groups = m.moe.groups,
            .top_groups = m.moe.top_groups,
            .routed_scale = m.moe.routed_scale,
            .scores = scores.data(),
            .bias = bias.data(),
            .choice = choice.data()};
  }
  [[nodiscard]] group_by_expert_params grouping() const {
    return {.lanes = slice(),
            .experts = m.moe.experts,
            .top_k = m.moe.top_k,
            .shared = m.moe.shared_experts > 0,
            .choice = choice.data(),
            .starts = starts.data(),
            .rows = rows.data()};
  }
};

void run_choose(State& state, batch_size b) {
  const scene s(b);
  const choose_experts_params p = s.choosing();
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return choose_experts(p, on); });
}

void run_group(State& state, batch_size b) {
  const scene s(b);
  const group_by_expert_params p = s.grouping();
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return group_by_expert(p, on); });
}

void run_scatter(State& state, batch_size b) {
  const scene s(b);
  const scatter_to_experts_params p{.lanes = s.slice(),
                                    .copies = static_cast<int>(s.copies),
                                    .hidden = s.m.hidden,
                                    .x = s.hidden.data(),
                                    .x_pitch = s.m.hidden,
                                    .rows = s.rows.data(),
                                    .expert_input = s.by_expert.data()};
  time_launches(state, work_of(p), 1,
                [&](std::int64_t, cudaStream_t on) { return scatter_to_experts(p, on); });
}

void run_combine(State& state, batch_size b) {
  const scene s(b);
  const combine_experts_params p{.lanes = s.slice(),
                                 .top_k = s.m.moe.top_k,
                                 .shared = s.m.moe.shared_experts > 0,
                                 .hidden = s.m.hidden,
                                 .choice = s.choice.data(),
                                 .rows = s.rows.data(),
                                 .expert_output = s.by_expert.data(),
                                 .y = s.hidden.data()};
  time_launches(state, work_of(p), 1, [&](std::int64_t, cudaStream_t on) { return combine_experts(p, on); });
}

}  // namespace

void add_experts() {
  for (const batch_size b : batch_sizes()) {
    const std::string lanes = fmt::format("/lanes:{}", b.lanes());
    add("choose_experts" + lanes, [=](State& state) { run_choose(state, b); });
    add("group_by_expert" + lanes, [=](State& state) { run_group(state, b); });
    add("scatter_to_experts" + lanes, [=](State& state) { run_scatter(state, b); });
    add("combine_experts" + lanes, [=](State& state) { run_combine(state, b); });
  }
}

}  // namespace ess::ESS_CUDA::bench
