#include "harness/planning/target.h"

#include "harness/planning/plan.h"

namespace harness {
namespace {

target h200(const char* device = "sim:h200_ep32") { return target::parse(device).value(); }

workloads::settings settings_of(workloads::system_kind system = workloads::system_kind::all_gpu) {
  workloads::settings s;
  s.system = system;
  s.model.preset = "deepseek_v3_2";
  s.context_tokens = 32'768;
  s.steps = 64;
  s.batch = workloads::max_batch{};
  s.device_budget_bytes = 141'000'000'000;
  return s;
}

std::shared_ptr<const simulation> simulated(const target& on, const workloads::settings& s) {
  return on.simulation_of(s).value();
}

TEST(target, is_the_cpu_or_a_profile) {
  EXPECT_FALSE(target::parse("cpu")->is_simulated());
  EXPECT_EQ(target().device(), "cpu");
  EXPECT_EQ(simulated(target(), settings_of()), nullptr);
  const target on = h200();
  EXPECT_TRUE(on.is_simulated());
  EXPECT_EQ(on.device(), "sim:h200_ep32");
  EXPECT_EQ(target::parse("sim:").error().what, "no hardware profile of this name, and no such file");
  EXPECT_EQ(target::parse("gpu").error().file, "--device");
}

TEST(target, a_gpu_is_what_is_found_and_limits_what_fits) {
  const target stand_in = target::parse("cuda_emulated").value();
  EXPECT_EQ(stand_in.family(), device_family::cuda_emulated);
  EXPECT_EQ(clock_of(stand_in.family()), ess::clock_kind::wall);
  ASSERT_NE(stand_in.gpu(), nullptr);
  EXPECT_LT(stand_in.usable_gpu_memory(), stand_in.gpu()->memory);
  workloads::settings s = settings_of();
  s.model.preset = "mini";
  s.device_budget_bytes = 0;  // of a CPU: as much as it likes
  const planned_point plan = plan_point({.requested = s}, stand_in);
  EXPECT_LT(plan.budgets.device, stand_in.usable_gpu_memory());  // the accuracy check needs some
  EXPECT_LE(total(plan.memory, ess::memory_tier::device), plan.budgets.device);
  EXPECT_GT(plan.batch, 0);
  EXPECT_EQ(target().usable_gpu_memory().value, 0);
}

// Where there is a GPU it is found; where not, the error says what to do.
TEST(target, cuda_is_there_or_says_why_not) {
  const auto on = target::parse("cuda");
  if (on) {
    EXPECT_EQ(clock_of(on->family()), ess::clock_kind::cuda_event);
    EXPECT_GT(on->gpu()->multiprocessors, 0);
  } else {
    EXPECT_THAT(on.error().hint, testing::HasSubstr("cuda_emulated"));
  }
}

TEST(target, a_cuda_device_holds_weights_in_their_format_and_a_slice_of_the_experts) {
  const target on = target::parse("cuda_emulated").value();
  workloads::settings s = settings_of();
  s.model.ep_slice = 32;
  s.batch = 1;
  const auto weights_of = [&](workloads::weights_mode mode) {
    s.model.weights = mode;
    const planned_point plan = plan_point({.requested = s}, on);
    EXPECT_EQ(plan.model.moe.experts, 8);
    EXPECT_EQ(plan.model.moe.fault(), "");
    return plan.memory.front().bytes.value;
  };
  EXPECT_EQ(weights_of(workloads::weights_mode::bf16), 2 * weights_of(workloads::weights_mode::fp8));
  s.model.preset = "tiny_moe";
  s.model.ep_slice = 4;  // two experts: fewer than a token chooses
  s.context_tokens = 512;
  EXPECT_EQ(plan_point({.requested = s}, on).verdict, plan_verdict::unsupported);
}

TEST(target, policies_without_a_kernel_are_unsupported_on_cuda_only) {
  workloads::settings s = settings_of(workloads::system_kind::ess);
  s.model.preset = "tiny";
  s.batch = 1;
  s.context_tokens = 512;
  s.policy = workloads::eviction_policy::sieve;
  EXPECT_EQ(plan_point({.requested = s}, target::parse("cuda_emulated").value()).verdict,
            plan_verdict::unsupported);
  EXPECT_EQ(plan_point({.requested = s}).verdict, plan_verdict::ok);
}

TEST(target, a_cluster_is_that_of_the_profile_unless_settings_name_one) {
  const target on = h200();
  workloads::settings s = settings_of();
  EXPECT_EQ(simulated(on, s)->cluster.expert_ranks, 32);
  EXPECT_EQ(simulated(on, s)->cluster.nodes, 4);
  EXPECT_EQ(simulated(on, s)->cluster.imbalance, on.profile().hardware.imbalance.value);
  s.cluster = {.ep = 12, .imbalance = 0.9};  // on whole nodes of eight
  EXPECT_EQ(simulated(on, s)->cluster.expert_ranks, 12);
  EXPECT_EQ(simulated(on, s)->cluster.nodes, 2);
  EXPECT_EQ(simulated(on, s)->cluster.imbalance, 0.9);
  s.cluster = {.nodes = 6, .ep = 24};
  EXPECT_EQ(simulated(on, s)->cluster.nodes, 6);
}

TEST(target, streams_follow_from_the_seed_and_the_model_of_locality) {
  const target on = h200();
  workloads::settings s = settings_of();
  const auto one = simulated(on, s);
  EXPECT_EQ(one->locality, simulated(on, s)->locality);
  EXPECT_FALSE(one->locality.layers.empty());
  s.seed = 7;
  EXPECT_EQ(simulated(on, s)->locality.seed, 7u);
  s.simulation.locality = "no_such_model";
  EXPECT_FALSE(on.simulation_of(s).has_value());
  const planned_point plan = plan_point({.label = "test", .requested = s}, on);
  EXPECT_EQ(plan.verdict, plan_verdict::unsupported);
  EXPECT_THAT(plan.reason, testing::HasSubstr("no_such_model"));
}

// fp8 weights, the experts spread over all ranks; and no more memory than the GPU has.
TEST(plan_point, of_a_simulated_cluster_holds_what_its_gpus_hold) {
  workloads::point p{.label = "test", .requested = settings_of()};
  const planned_point wide = plan_point(p, h200());
  ASSERT_EQ(wide.verdict, plan_verdict::ok) << wide.reason;
  const planned_point narrow = plan_point(p, h200("sim:h200_ep8"));
  ASSERT_EQ(narrow.verdict, plan_verdict::ok) << narrow.reason;
  EXPECT_LT(narrow.batch, wide.batch);
  p.requested.device_budget_bytes = 900'000'000'000;
  const auto& hw = h200().profile().hardware;
  EXPECT_EQ(plan_point(p, h200()).budgets.device.value,
            static_cast<std::int64_t>(hw.memory_bytes.value - hw.reserved_bytes.value));
  p.requested.device_budget_bytes = 0;
  EXPECT_EQ(plan_point(p, h200()).budgets.device.value, 0);  // a ceiling
}

TEST(plan_point, dense_attention_can_be_simulated_where_everything_is_on_the_gpu) {
  workloads::point p{.label = "test", .requested = settings_of()};
  p.requested.model.preset = "deepseek_v3";
  p.requested.batch = 1;
  p.requested.device_budget_bytes = 0;
  EXPECT_EQ(plan_point(p, h200()).verdict, plan_verdict::ok) << plan_point(p, h200()).reason;
  EXPECT_EQ(plan_point(p).verdict, plan_verdict::unsupported);
  p.requested.system = workloads::system_kind::ess;
  EXPECT_THAT(plan_point(p, h200()).reason, testing::HasSubstr("no indexer"));
}

}  // namespace
}  // namespace harness
