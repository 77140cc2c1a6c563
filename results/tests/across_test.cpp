#include "results/across.h"

#include "results/tests/example_run.h"

namespace results {
namespace {

using testing::an_example_run;
using ::testing::HasSubstr;
using testing::point_of;

loaded_run a_calibration(double gather, double copy) {
  loaded_run run = an_example_run();
  run.points.clear();
  for (const auto& [kind, rate] :
       {std::pair("gather", gather), std::pair("gather", gather / 2), std::pair("device_copy", copy)}) {
    attempt_record attempt;
    attempt.metrics["transfer_gb_per_s"] = {rate, rate, rate, 1, "GB/s"};
    run.points.push_back({.point = {.label = kind, .system = kind}, .attempts = {attempt}});
  }
  return run;
}

void give_rates(loaded_run& run, double link, double keys) {
  auto& metrics = point_of(run, "ess").attempts.back().metrics;
  metrics["link_gb_per_s"] = {link, link, link, 1, "GB/s"};
  metrics["index_keys_gb_per_s"] = {keys, keys, keys, 1, "GB/s"};
  point_of(run, "ess").point.effective["link.paced"] = false;
}

const normalised_figure& about(const across_comparison& of, std::string_view label, std::string_view what) {
  for (const normalised_figure& f : of.figures) {
    if (f.label == label && f.what == what) return f;
  }
  throw std::out_of_range("not compared");
}

TEST(across, puts_each_machine_in_proportion_to_itself) {
  loaded_run a = an_example_run(), b = an_example_run();
  give_rates(a, 30, 1000);
  give_rates(b, 10, 100);
  // Twice as slow in everything.
  for (loaded_point& point : b.points) {
    if (point.last() == nullptr || !point.last()->metrics.contains("tokens_per_s")) continue;
    point.attempts.back().metrics["tokens_per_s"].median /= 2;
  }
  const loaded_run of_a = a_calibration(40, 2000), of_b = a_calibration(20, 100);
  const across_comparison made = compare_across({&a, &of_a}, {&b, &of_b});
  const normalised_figure& gain = about(made, "ess", "throughput over all_gpu");
  EXPECT_DOUBLE_EQ(gain.a->value, gain.b->value);
  EXPECT_TRUE(gain.a->bounds->contains(gain.a->value));
  EXPECT_DOUBLE_EQ(about(made, "ess", "transfers, of the link's rate").a->value, 0.75);
  EXPECT_DOUBLE_EQ(about(made, "ess", "transfers, of the link's rate").b->value, 0.5);
  EXPECT_DOUBLE_EQ(about(made, "ess", "index keys read, of the memory's rate").a->value, 0.25);
  EXPECT_DOUBLE_EQ(about(made, "ess", "index keys read, of the memory's rate").b->value, 0.5);
  EXPECT_TRUE(made.missing.empty());
  EXPECT_THROW((void)about(made, "all_gpu", "throughput over all_gpu"), std::out_of_range);
}

TEST(across, a_paced_link_is_measured_by_what_was_asked_for) {
  loaded_run run = an_example_run();
  give_rates(run, 30, 1000);
  point_of(run, "ess").point.effective["link.paced"] = true;
  point_of(run, "ess").point.effective["link.gather_gb_per_s"] = 60;
  const across_comparison made = compare_across({&run, nullptr}, {&run, nullptr});
  EXPECT_DOUBLE_EQ(about(made, "ess", "transfers, of the link's rate").a->value, 0.5);
  EXPECT_EQ(made.missing.size(), 2u);
}

TEST(across, gains_only_where_the_link_has_the_same_proportion) {
  const loaded_run a = an_example_run();
  loaded_run b = an_example_run();
  point_of(b, "ess").attempts.back().metrics["link_proportion"].median = 1.9;
  const across_comparison made = compare_across({&a, nullptr}, {&b, nullptr});
  EXPECT_EQ(about(made, "ess", "throughput over all_gpu").incomparable, "link proportion 2.7 against 1.9");
  EXPECT_THAT(show_across(made), HasSubstr("incomparable: link proportion 2.7 against 1.9"));
}

TEST(across, never_shows_a_time) {
  const loaded_run run = an_example_run();
  const std::string text = show_across(compare_across({&run, nullptr}, {&run, nullptr}));
  EXPECT_EQ(text.find(" us"), std::string::npos);
  EXPECT_EQ(text.find(" ms"), std::string::npos);
  EXPECT_EQ(text.find("tok/s"), std::string::npos);
}

}  // namespace
}  // namespace results
