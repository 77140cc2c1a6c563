#include "ess_core/device/cuda/cuda_device.h"

#include <map>

#include "baselines/systems.h"
#include "ess_core/device/cuda/platform.h"
#include "ess_core/device/cuda/step_runner.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/engine/decode_engine.h"
#include "ess_core/model/presets.h"

#ifdef ESSBENCH_CUDA_EMULATED
#include "ess_core/device/cuda/emulation/stand_in.h"
#endif

namespace ess {
namespace {

using namespace ESS_CUDA;

class cuda_device : public testing::Test {
 protected:
  void SetUp() override {
    if (gpu_count() == 0) GTEST_SKIP() << "no CUDA device here";
  }
};

constexpr token_id prompt = 90;
constexpr token_id most_steps = 4;

struct trace {
  std::vector<std::vector<float>> hidden;
  row_totals rows;
  std::vector<bool> samples, with_operations;
};

trace run(std::string_view system, const cuda_device_options& options,
          overlap_kind overlap = overlap_kind::none, const ess_options& ess = {.sparse_ratio = 0.4},
          token_id steps = most_steps) {
  const model_dims model = find_model_preset("tiny").value();
  const auto of = make_system(system, ess);
  const auto device = make_device(options);
  const memory_layout layout = make_layout({.model = model, .final_tokens = prompt + steps}, *of, 2, 2);
  device->allocate(layout, 5);
  prefill_source prefill(model, 5);
  decode_engine engine(*device, *of, prefill, {.layout = layout, .seed = 5, .overlap = overlap});
  engine.admit_batch({{0, prompt, steps}, {1, prompt - 7, steps}});
  trace out;
  for (token_id s = 0; s < steps; ++s) {
    const step_report report = engine.step();
    out.rows += report.rows;
    out.samples.push_back(report.timing.is_sample);
    out.with_operations.push_back(!report.timing.operations.empty());
    EXPECT_GT(report.timing.total.count(), 0);
    out.hidden.emplace_back(static_cast<std::size_t>(2 * model.hidden));
    device->read(buffer_id::hidden, 0, std::as_writable_bytes(std::span(out.hidden.back())));
  }
  return out;
}

TEST_F(cuda_device, a_graph_computes_what_single_launches_do) {
  for (const overlap_kind overlap : {overlap_kind::da, overlap_kind::dba}) {
    const trace single = run("ess", {.graphs = false}, overlap);
    const trace graphs = run("ess", {.graphs = true, .profiled_runs = 1}, overlap);
    EXPECT_EQ(graphs.hidden, single.hidden) << to_string(overlap);
    EXPECT_EQ(graphs.rows.misses, single.rows.misses);
  }
}

// A step that is taken apart is no sample where others run as one; where all are, each is.
TEST_F(cuda_device, says_which_steps_are_samples) {
  const trace graphs = run("ess", {.graphs = true, .profiled_runs = 2});
  EXPECT_EQ(graphs.samples, (std::vector{false, false, true, true}));
  EXPECT_EQ(graphs.with_operations, (std::vector{true, true, false, false}));
  const trace by_call = run("naive_memcpy", {.graphs = true, .profiled_runs = 2});
  EXPECT_EQ(by_call.samples, std::vector<bool>(most_steps, true));
  EXPECT_EQ(by_call.with_operations, std::vector<bool>(most_steps, true));
}

TEST_F(cuda_device, every_system_equals_all_gpu_bit_for_bit) {
  const trace want = run("all_gpu", {});
  for (const auto system : system_names()) EXPECT_EQ(run(system, {}).hidden, want.hidden) << system;
}

TEST_F(cuda_device, rows_copied_in_one_call_are_the_same) {
  const trace each = run("naive_memcpy", {});
  const trace together = run("naive_memcpy", {.batched_copies = true});
  EXPECT_EQ(together.hidden, each.hidden);
  EXPECT_EQ(together.rows.rows_in, each.rows.rows_in);
}

TEST_F(cuda_device, programs_that_need_the_host_are_not_captured) {
  const model_dims model = find_model_preset("tiny").value();
  for (const auto name : system_names()) {
    const auto system = make_system(name, {.sparse_ratio = 0.4});
    const step_program program = build_decode_step(model, {2, 1}, *system, {});
    EXPECT_EQ(is_capturable(program), name != "naive_memcpy" && name != "layer_stream") << name;
  }
}

TEST_F(cuda_device, refuses_policies_and_operations_that_it_lacks) {
  const model_dims model = find_model_preset("tiny").value();
  const auto device = make_device({});
  const auto sieve = make_system("ess", {.sparse_ratio = 0.4, .policy = pool_kind::sieve});
  EXPECT_THROW(device->allocate(make_layout({.model = model, .final_tokens = 64}, *sieve, 1, 1), 1),
               unsupported);
  const auto ahead = make_system("ess", {.sparse_ratio = 0.4, .prefetch_rows = 4});
  device->allocate(make_layout({.model = model, .final_tokens = 64}, *ahead, 1, 1), 1);
  EXPECT_THROW((void)device->run(build_decode_step(model, {1, 1}, *ahead, {})), unsupported);
}

TEST_F(cuda_device, reads_and_writes_stay_inside_their_buffer) {
  const model_dims model = find_model_preset("tiny").value();
  const auto device = make_device({});
  device->allocate(make_layout({.model = model, .final_tokens = 64}, *make_system("all_gpu", {}), 1, 1), 1);
  std::vector<std::byte> bytes(16);
  EXPECT_THROW(device->read(buffer_id::hidden, model.hidden * 4 - 8, bytes), std::out_of_range);
  EXPECT_THROW(device->write(buffer_id::hidden, -1, bytes), std::out_of_range);
}

TEST_F(cuda_device, out_of_memory_names_tier_and_numbers) {
  const model_dims model = find_model_preset("tiny").value();
  const auto device = make_device({.device_budget = byte_count{1'000'000}});
  const memory_layout layout =
      make_layout({.model = model, .final_tokens = 512}, *make_system("all_gpu", {}), 4, 4);
  EXPECT_THROW(device->allocate(layout, 1), out_of_memory);
}

TEST_F(cuda_device, a_gpu_that_is_not_there_is_unsupported) {
  EXPECT_THROW((void)make_device({.ordinal = gpu_count()}), unsupported);
}

#ifdef ESSBENCH_CUDA_EMULATED

// Whatever fails, an exception says so and nothing is left behind. The last call that waits is a
// destructor's, which only logs.
TEST_F(cuda_device, any_failing_call_of_a_run_is_reported_and_leaks_nothing) {
  using emulation::call;
  const auto attempt = [] {
    (void)run("ess", {.graphs = true, .profiled_runs = 1}, overlap_kind::da, {.sparse_ratio = 0.4}, 2);
  };
  emulation::reset();
  attempt();
  const emulation::live_objects before = emulation::count_live();
  std::map<call, std::int64_t> made;
  for (const call kind : {call::allocation, call::host_allocation, call::copy, call::launch, call::kernel,
                          call::event, call::graph, call::synchronize}) {
    made[kind] = emulation::calls_made(kind) - (kind == call::synchronize ? 1 : 0);
    ASSERT_GT(made[kind], 0) << static_cast<int>(kind);
  }
  for (const auto& [kind, calls] : made) {
    for (const std::int64_t n : {std::int64_t{1}, calls}) {
      emulation::reset();
      emulation::fail_at(kind, static_cast<int>(n),
                         kind == call::allocation ? cudaErrorMemoryAllocation : cudaErrorLaunchFailure);
      EXPECT_ANY_THROW(attempt()) << static_cast<int>(kind) << ", call " << n;
      EXPECT_EQ(emulation::count_live(), before) << static_cast<int>(kind) << ", call " << n;
    }
  }
  emulation::reset();
}

TEST_F(cuda_device, a_step_that_nobody_waited_for_would_show) {
  emulation::reset();
  const trace eager = run("ess", {}, overlap_kind::da);
  emulation::stand_in_settings().lazy_streams = true;
  const trace lazy = run("ess", {}, overlap_kind::da);
  emulation::reset();
  EXPECT_EQ(lazy.hidden, eager.hidden);
}

#endif

}  // namespace
}  // namespace ess
