#include "harness/accuracy/accuracy.h"

#include <fmt/format.h>

#include "harness/accuracy/bounds.h"
#include "harness/accuracy/tests/fixture.h"

namespace harness {
namespace {

using ess::overlap_kind;

TEST(accuracy, every_system_passes_under_every_overlap) {
  for (const auto system : ess::system_names()) {
    for (const overlap_kind overlap : ess::all_overlaps) {
      const accuracy_report report = checked_batch({.system = system, .overlap = overlap}).check();
      EXPECT_TRUE(report.ok) << system << ", " << to_string(overlap) << "\n  "
                             << fmt::format("{}", fmt::join(report.failures, "\n  "));
    }
  }
}

TEST(accuracy, every_system_passes_with_a_mixture_of_experts) {
  for (const auto system : ess::system_names()) {
    for (const overlap_kind overlap : {overlap_kind::none, overlap_kind::da}) {
      const accuracy_report report =
          checked_batch({.model = "tiny_moe", .system = system, .overlap = overlap}).check();
      EXPECT_TRUE(report.ok) << system << ", " << to_string(overlap) << "\n  "
                             << fmt::format("{}", fmt::join(report.failures, "\n  "));
    }
  }
}

// Drafts are rejected in most steps, so every check also meets rows that were replaced.
TEST(accuracy, every_system_passes_with_several_query_tokens) {
  for (const auto system : ess::system_names()) {
    for (std::int32_t query_tokens = 2; query_tokens <= ess::max_query_tokens; ++query_tokens) {
      const accuracy_report report =
          checked_batch(
              {.system = system, .overlap = overlap_kind::da, .query_tokens = query_tokens, .mean_kept = 1.5})
              .check();
      EXPECT_TRUE(report.ok) << system << ", " << query_tokens << "\n  "
                             << fmt::format("{}", fmt::join(report.failures, "\n  "));
    }
  }
}

TEST(accuracy, pools_smaller_than_a_step_pass) {
  for (const overlap_kind overlap : ess::all_overlaps) {
    for (const std::int64_t rows : {1, 20, 33}) {
      const accuracy_report report = checked_batch({.overlap = overlap, .ess = {.pool_rows = rows}}).check();
      EXPECT_TRUE(report.ok) << rows << " rows\n  " << fmt::format("{}", fmt::join(report.failures, "\n  "));
    }
  }
}

TEST(accuracy, a_wider_host_pitch_and_a_context_shorter_than_top_k_pass) {
  EXPECT_TRUE(checked_batch({.pitch = 704}).check().ok);
  EXPECT_TRUE(checked_batch({.prompt = 25}).check().ok);
  EXPECT_TRUE(checked_batch({.system = "naive_gather", .prompt = 25}).check().ok);
}

// A bound that nothing ever comes near would not notice much.
TEST(accuracy, every_judged_figure_is_taken_by_some_system) {
  std::map<std::string, double> taken;
  for (const auto system : ess::system_names()) {
    taken.merge(checked_batch({.system = system, .overlap = overlap_kind::none}).check().figures);
  }
  taken.merge(checked_batch({.overlap = overlap_kind::da}).check().figures);
  taken.merge(checked_batch({.model = "tiny_moe"}).check().figures);
  taken.merge(checked_batch({.query_tokens = 2}).check().figures);
  for (const figure_bound& bound : figure_bounds())
    EXPECT_TRUE(taken.contains(std::string(bound.name))) << bound.name;
}

TEST(accuracy, free_running_differences_of_dual_attention_are_reported_and_not_judged) {
  const accuracy_report report = checked_batch({.overlap = overlap_kind::da}).check();
  EXPECT_FALSE(report.figures.contains("vs_all_gpu.differing_values"));
  EXPECT_GT(report.figures.at("vs_all_gpu.equal_ids_share"), 0.9);
  EXPECT_LT(report.figures.at("vs_all_gpu.hidden_max_rel_difference"), 1e-3);
  EXPECT_EQ(find_bound("vs_all_gpu.equal_ids_share"), nullptr);
}

// As if operations had been left out: what the system must do to obtain its rows was not seen.
TEST(accuracy, a_program_of_another_system_is_incomplete) {
  checked_batch batch({.system = "all_gpu"});
  const auto real = std::exchange(batch.system, ess::make_system("naive_gather", {}));  // the engine's
  const accuracy_report report = batch.check();
  EXPECT_FALSE(report.ok);
  EXPECT_EQ(report.figures.at("recorded.missing"), 1);
}

TEST(accuracy, the_engine_goes_on_where_the_check_stopped) {
  checked_batch batch({});
  EXPECT_TRUE(batch.check().ok);
  (void)batch.engine->step();
  EXPECT_EQ(batch.engine->seats().front().position, batch.s.prompt + batch.s.options.steps);
}

TEST(accuracy, the_same_sample_gives_the_same_figures) {
  const scenario s{.options = {.steps = 2, .requests = 1, .layers = 1, .seed = 9}};
  EXPECT_EQ(checked_batch(s).check().figures, checked_batch(s).check().figures);
}

TEST(accuracy, refuses_an_engine_that_does_not_stand_where_it_should) {
  checked_batch stepped({});
  (void)stepped.engine->step();
  EXPECT_THROW((void)stepped.check(), std::invalid_argument);
  checked_batch fewer({});
  EXPECT_THROW((void)fewer.check(fewer.prefill, {fewer.requests.front()}), std::invalid_argument);
  checked_batch shorter({.options = {.steps = 9}});
  EXPECT_THROW((void)shorter.check(), std::invalid_argument);
}

TEST(accuracy, reference_runs_are_made_once_for_a_batch) {
  int made = 0;
  const device_factory factory = [&] {
    ++made;
    return ess::make_cpu_device({});
  };
  const ess::model_dims model = ess::find_model_preset("tiny").value();
  ess::prefill_source prefill(model, 3);
  reference_batch batch{.model = model, .seed = 3, .requests = {{0, 90, 4}}, .steps = 2};
  reference_runs runs;
  const auto first = runs.get(batch, prefill, factory);
  EXPECT_EQ(runs.get(batch, prefill, factory), first);
  EXPECT_EQ(made, 1);
  ASSERT_EQ(first->size(), 2u);
  batch.requests.front().prompt_tokens = 91;
  EXPECT_NE(runs.get(batch, prefill, factory)->front().hidden, first->front().hidden);
  EXPECT_EQ(made, 2);

  const ess::byte_count one{runs.kept().value / 2};
  reference_runs small(one);
  (void)small.get(batch, prefill, factory);
  batch.seed = 4;
  (void)small.get(batch, prefill, factory);
  EXPECT_EQ(small.kept(), one);
}

}  // namespace
}  // namespace harness
