#include "harness/execution/ranks.h"

#include <mutex>

#include "ess_core/communicator/testing/thread_ranks.h"
#include "ess_core/locality/tests/scratch_folder.h"
#include "harness/execution/run.h"

namespace harness {
namespace {

using ess::test::run_ranks;
using ::testing::HasSubstr;

rank_facts facts(std::string workload = R"({"seed": 1, "batch": 2})") {
  return {.program = "0123456789abcdef", .device = "cpu", .workload = std::move(workload), .options = ""};
}

// What the other rank's difference makes both say.
std::vector<std::string> complaints(const rank_facts& other) {
  std::vector<std::string> out;
  std::mutex mutex;
  run_ranks(2, [&](ess::communicator& ranks) {
    try {
      check_same(ranks, ranks.rank() == 0 ? facts() : other);
    } catch (const rank_mismatch& e) {
      const std::scoped_lock lock(mutex);
      out.emplace_back(e.what());
    }
  });
  return out;
}

TEST(ranks, that_are_alike_go_on) { EXPECT_TRUE(complaints(facts()).empty()); }

TEST(ranks, that_differ_are_told_apart_on_every_rank) {
  const auto expect = [](const rank_facts& other, const char* what) {
    const std::vector<std::string> all = complaints(other);
    ASSERT_EQ(all.size(), 2u) << what;
    for (const std::string& text : all) EXPECT_THAT(text, HasSubstr(what));
  };
  rank_facts program = facts();
  program.program = "fedcba9876543210";
  expect(program, "rank 1 differs from the first one in the program");
  expect(facts(R"({"seed": 7, "batch": 2})"), "the workload (/seed: 1 on the first rank, 7 here)");
  rank_facts device = facts();
  device.device = "cuda";
  expect(device, "the device (cpu on the first rank, cuda here)");
  rank_facts resumed = facts();
  resumed.options = "--resume";
  expect(resumed, "its options (\"\" on the first rank, \"--resume\" here)");
}

TEST(ranks, agree_on_who_is_in_trouble) {
  run_ranks(3, [](ess::communicator& ranks) {
    EXPECT_EQ(agree(ranks, {}).status, results::attempt_status::ok);
    const part_end here =
        ranks.rank() == 2 ? part_end{results::attempt_status::out_of_memory, "no room"} : part_end{};
    const part_end all = agree(ranks, here);
    EXPECT_EQ(all.status, results::attempt_status::out_of_memory);
    EXPECT_EQ(all.reason, "rank 2: no room");
  });
}

TEST(ranks, share_the_cores_of_one_machine) {
  run_ranks(2, [](ess::communicator& ranks) {
    const core_share share = share_of_cores(ranks);
    EXPECT_EQ(share.of, 2);
    EXPECT_EQ(share.index, ranks.rank());
  });
}

TEST(ranks, figures_are_put_together) {
  run_ranks(2, [](ess::communicator& ranks) {
    rank_figures here;
    const double own = ranks.rank();
    here.step_us = {100 + own, 100 - own};
    here.exposed_us = {10 + 20 * own, 10 + 20 * own};  // the second rank waits more: it has less to do
    here.rows = {{.asked = 10, .hits = 8, .misses = 2}, {.asked = 10, .hits = 9, .misses = 1}};
    here.tokens = {2, 2};
    here.experts = {.rows_by_expert = {6, 2}, .rows_here = ranks.rank() == 0 ? 12 : 4, .bytes_sent = 500};
    const auto all = gather(ranks, here);
    ASSERT_EQ(all.size(), 2u);
    const rank_figures sum = together(all);
    EXPECT_EQ(sum.step_us, (std::vector<double>{101, 100}));
    EXPECT_EQ(sum.rows[0].asked, 20);
    EXPECT_EQ(sum.rows[1].misses, 2);
    EXPECT_EQ(sum.tokens, (std::vector<std::int32_t>{4, 4}));
    results::attempt_record out;
    put_ranks(all, 2, out);
    EXPECT_EQ(out.series.at("rows_by_rank"), (std::vector<double>{6, 2}));
    EXPECT_EQ(out.series.at("rows_by_expert"), (std::vector<double>{6, 2}));
    EXPECT_EQ(out.series.at("wait_us_by_rank"), (std::vector<double>{10, 30}));
    EXPECT_DOUBLE_EQ(out.metrics.at("rank_imbalance").median, 1.5);
    EXPECT_DOUBLE_EQ(out.metrics.at("expert_imbalance").median, 1.5);
    EXPECT_DOUBLE_EQ(out.metrics.at("slowest_rank_share").median, 1.0);
    EXPECT_DOUBLE_EQ(out.metrics.at("exchange_bytes_per_step").median, 500);
    EXPECT_DOUBLE_EQ(out.metrics.at("exposed_exchange_us_per_layer").median, 15);
  });
}

constexpr const char* spec = R"({
  "name": "t", "description": "d", "kind": "fixed", "systems": ["all_gpu", "ess", "naive_gather", "hisparse"],
  "model": {"preset": "tiny_moe"}, "context_tokens": 200, "batch": 4, "steps": 4, "sparse_ratio": 0.4,
  "overlap": "dba", "cpu_threads": 1,
  "measure": {"warmup_steps": 1, "min_samples": 4, "max_samples": 4, "max_seconds": 60, "relative_ci": 0.5},
  "accuracy": {"steps": 2, "requests": 2, "layers": 0}})";

class run_over_ranks : public testing::Test {
 protected:
  // The same eight requests, over so many ranks.
  results::loaded_run run(int count, std::vector<std::string> set = {}) {
    set.push_back("batch=" + std::to_string(8 / count));
    const auto workload = workloads::parse_workload(spec, "t.json", {.set = set}).value();
    std::optional<results::loaded_run> out;
    const cancellation never;
    run_ranks(count, [&](ess::communicator& ranks) {
      run_options options{.style = progress_style::silent, .command_line = "test", .cancel = &never};
      options.on.set_ranks(count);
      const auto file = folder_ / (std::to_string(count) + ".db");
      std::optional<results::store> store;
      if (ranks.rank() == 0) store.emplace(results::store::open(file));
      const run_outcome outcome = run_workload(workload, store ? &*store : nullptr, ranks, options);
      EXPECT_EQ(outcome.ranks_lost, "");
      if (store) out = store->load(outcome.run_id);
    });
    return *out;
  }

  static std::string outputs_of(const results::loaded_point& point) {
    for (const results::event_record& event : point.last()->events)
      if (event.kind == "outputs") return event.detail;
    return "none";
  }

  ess::scratch_folder folder_;
};

TEST_F(run_over_ranks, computes_what_one_computes) {
  const results::loaded_run one = run(1);
  for (const int count : {2, 4}) {
    const results::loaded_run several = run(count);
    ASSERT_EQ(several.points.size(), one.points.size());
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      SCOPED_TRACE(one.points[i].point.label + " over " + std::to_string(count));
      const results::attempt_record& want = *one.points[i].last();
      const results::attempt_record& got = *several.points[i].last();
      EXPECT_EQ(got.status, results::attempt_status::ok) << got.reason;
      EXPECT_THAT(outputs_of(one.points[i]), HasSubstr("of 8 requests after 2 checked steps"));
      EXPECT_EQ(outputs_of(several.points[i]), outputs_of(one.points[i]));
      for (const char* name :
           {"hit_rate", "misses_per_layer_step", "h2d_bytes_per_step", "d2h_bytes_per_step"})
        EXPECT_EQ(got.metrics.at(name), want.metrics.at(name)) << name;
      EXPECT_EQ(got.metrics.at("ranks").median, count);
      EXPECT_EQ(got.series.at("rows_by_expert"), want.series.at("rows_by_expert"));
      EXPECT_EQ(got.series.at("step_us_by_rank").size(), static_cast<std::size_t>(count));
      EXPECT_TRUE(got.metrics.contains("exposed_exchange_us_per_layer"));
    }
    EXPECT_EQ(several.env.at("ranks").size(), static_cast<std::size_t>(count));
    EXPECT_EQ(several.env.at("communicator"), "threads");
  }
}

// Room for the weights of a rank and little more.
TEST_F(run_over_ranks, memory_that_does_not_suffice_is_a_status) {
  const results::loaded_run two = run(2, {"device_budget_bytes=1000000"});
  for (const auto& point : two.points)
    EXPECT_EQ(point.last()->status, results::attempt_status::out_of_memory);
}

}  // namespace
}  // namespace harness
