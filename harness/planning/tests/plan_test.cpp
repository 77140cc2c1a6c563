#include "harness/planning/plan.h"

namespace harness {
namespace {

workloads::point point_of(workloads::system_kind system) {
  workloads::point p{.label = "test"};
  p.requested.system = system;
  p.requested.model.preset = "tiny";
  p.requested.context_tokens = 512;
  p.requested.steps = 8;
  p.requested.device_budget_bytes = std::nullopt;
  p.requested.device_budget_beyond_weights_bytes = 20'000'000;
  return p;
}

TEST(plan_point, max_is_the_largest_batch_in_the_budget) {
  const planned_point plan = plan_point(point_of(workloads::system_kind::all_gpu));
  EXPECT_EQ(plan.verdict, plan_verdict::ok) << plan.reason;
  EXPECT_EQ(plan.batch, plan.batch_max);
  EXPECT_GT(plan.batch, 1);
  EXPECT_LE(total(plan.memory, ess::memory_tier::device), plan.budgets.device);
}

TEST(plan_point, ess_holds_more_than_all_gpu) {
  EXPECT_GT(plan_point(point_of(workloads::system_kind::ess)).batch_max,
            plan_point(point_of(workloads::system_kind::all_gpu)).batch_max);
}

TEST(plan_point, a_batch_that_does_not_fit_is_out_of_memory_with_the_numbers) {
  workloads::point p = point_of(workloads::system_kind::all_gpu);
  p.requested.batch = 500;
  const planned_point plan = plan_point(p);
  EXPECT_EQ(plan.verdict, plan_verdict::out_of_memory);
  EXPECT_THAT(plan.reason, testing::HasSubstr("batch 500 needs"));
  p.requested.batch = workloads::max_batch{};
  p.requested.device_budget_beyond_weights_bytes = 1000;
  EXPECT_EQ(plan_point(p).verdict, plan_verdict::out_of_memory);
}

TEST(plan_point, max_without_a_budget_has_no_answer) {
  workloads::point p = point_of(workloads::system_kind::all_gpu);
  p.requested.device_budget_beyond_weights_bytes = std::nullopt;
  p.requested.device_budget_bytes = 0;
  const planned_point plan = plan_point(p);
  EXPECT_EQ(plan.verdict, plan_verdict::unsupported);
  EXPECT_THAT(plan.reason, testing::HasSubstr("needs a budget"));
}

TEST(plan_point, knows_every_system_that_a_workload_can_name) {
  for (const std::string_view name : workloads::system_names()) {
    const planned_point plan = plan_point(point_of(workloads::parse_system(name).value()));
    EXPECT_EQ(plan.verdict, plan_verdict::ok) << name << ": " << plan.reason;
    EXPECT_EQ(plan.system->name(), name);
  }
}

TEST(plan_point, ranks_must_be_those_that_the_workload_is_for) {
  workloads::point p = point_of(workloads::system_kind::all_gpu);
  p.requested.model.preset = "mini_moe";
  p.requested.cluster.ep = 4;
  EXPECT_EQ(plan_point(p).verdict, plan_verdict::unsupported);
  EXPECT_THAT(plan_point(p).reason,
              testing::HasSubstr("cluster.ep is 4 and this run has 1 rank; start it with mpirun -n 4"));
  target on;
  on.set_ranks(4);
  const planned_point plan = plan_point(p, on);
  EXPECT_EQ(plan.verdict, plan_verdict::ok) << plan.reason;
  EXPECT_EQ(plan.effective(1).cluster.ep, 4);
  p.requested.cluster.ep = 0;
  EXPECT_EQ(plan_point(p, on).effective(1).cluster.ep, 4);
  p.requested.kind = workloads::workload_kind::serve;
  EXPECT_THAT(plan_point(p, on).reason, testing::HasSubstr("fixed batches only"));
}

TEST(plan_point, a_rank_holds_its_share_of_experts) {
  workloads::point p = point_of(workloads::system_kind::all_gpu);
  p.requested.model.preset = "mini_moe";
  target two;
  two.set_ranks(2);
  const ess::model_dims model = plan_point(p).model;
  const std::int64_t experts =
      3 * std::int64_t{model.hidden} * model.moe.width * model.moe.experts * (model.layers - 1);
  const auto weights = [](const planned_point& plan) { return plan.memory.front().bytes.value; };
  EXPECT_EQ(weights(plan_point(p)) - weights(plan_point(p, two)), experts / 2 * 4);
}

TEST(planned_point, effective_settings_of_hisparse_are_those_of_its_design) {
  workloads::point p = point_of(workloads::system_kind::hisparse);
  const planned_point plan = plan_point(p);
  ASSERT_EQ(plan.verdict, plan_verdict::ok) << plan.reason;
  const workloads::settings used = plan.effective(2);
  EXPECT_EQ(used.overlap, workloads::overlap_mode::none);
  EXPECT_EQ(used.warmup, workloads::warmup_mode::empty);
  EXPECT_EQ(used.policy, workloads::eviction_policy::lru);
  EXPECT_EQ(used.pool_rows, 2 * plan.model.top_k);
  EXPECT_EQ(used.sparse_ratio, std::nullopt);
  p.requested.policy = workloads::eviction_policy::sieve;
  p.requested.sparse_ratio.reset();
  p.requested.pool_rows = 100;
  EXPECT_EQ(plan_point(p).effective(2).pool_rows, 100);
  EXPECT_EQ(plan_point(p).effective(2).policy, workloads::eviction_policy::lru);
  EXPECT_EQ(plan_point(point_of(workloads::system_kind::ess)).effective(2).warmup,
            workloads::warmup_mode::windows);
}

TEST(plan_point, a_mixture_of_experts_is_counted_with_its_buffers) {
  workloads::point p = point_of(workloads::system_kind::all_gpu);
  p.requested.model.preset = "tiny_moe";
  p.requested.batch = 2;
  const planned_point all = plan_point(p);
  EXPECT_EQ(all.verdict, plan_verdict::ok) << all.reason;
  const auto bytes_of = [](const planned_point& plan, std::string_view what) {
    return std::ranges::find(plan.memory, what, &ess::memory_item::what)->bytes.value;
  };
  EXPECT_EQ(bytes_of(all, "weights"), all.model.parameters() * 4);
  EXPECT_GE(ess::buffer_bytes(all.layout(), ess::buffer_id::expert_input).value,
            std::int64_t{2} * 4 * all.model.hidden * 4);
  p.requested.model.layers = 1;  // the dense one
  EXPECT_EQ(ess::buffer_bytes(plan_point(p).layout(), ess::buffer_id::expert_input).value, 0);
  EXPECT_EQ(plan_point(p).verdict, plan_verdict::ok);
  p.requested.model.layers = 0;
  p.requested.model.preset = "mini_moe";
  const planned_point mini = plan_point(p);
  p.requested.model.experts = 8;  // half of them: seven layers, three matrices of 128 x 1,024, and the router
  EXPECT_EQ(bytes_of(mini, "weights") - bytes_of(plan_point(p), "weights"),
            std::int64_t{7} * 8 * (3 * 128 + 1) * 1024 * 4);
}

TEST(plan_point, draft_layers_and_places_of_drafts_are_counted) {
  workloads::point p = point_of(workloads::system_kind::all_gpu);
  const planned_point one = plan_point(p);
  p.requested.mtp = 3;
  const planned_point three = plan_point(p);
  EXPECT_EQ(three.model.layers, one.model.layers + 1);
  EXPECT_EQ(three.effective(1).model.layers, one.model.layers);
  EXPECT_EQ(three.shape.final_tokens, p.requested.context_tokens + 3 * total_steps(p.requested));
  EXPECT_EQ(three.layout().max_context, three.shape.final_tokens + 2);
}

TEST(plan_point, pools_beyond_16_bit_slots_are_refused) {
  workloads::point p = point_of(workloads::system_kind::ess);
  p.requested.device_budget_beyond_weights_bytes = std::nullopt;
  p.requested.device_budget_bytes = 0;
  p.requested.batch = 1;
  p.requested.context_tokens = 1'000'000;
  EXPECT_EQ(plan_point(p).verdict, plan_verdict::unsupported);
  EXPECT_THAT(plan_point(p).reason, testing::HasSubstr("65000 at most"));
  p.requested.sparse_ratio = 0.06;
  EXPECT_EQ(plan_point(p).verdict, plan_verdict::ok) << plan_point(p).reason;
  p.requested.pool_weights = "1 1 4";
  EXPECT_EQ(plan_point(p).verdict, plan_verdict::unsupported);
}

TEST(plan_point, effective_settings_say_what_is_really_used) {
  const planned_point plan = plan_point(point_of(workloads::system_kind::naive_gather));
  const workloads::settings used = plan.effective(3);
  EXPECT_EQ(std::get<int>(used.batch), plan.batch);
  EXPECT_EQ(used.overlap, workloads::overlap_mode::none);
  EXPECT_EQ(used.cpu_threads, 3);
  EXPECT_EQ(used.host_row_pitch_bytes, 656);
  EXPECT_EQ(used.model.layers, 3);
}

}  // namespace
}  // namespace harness
