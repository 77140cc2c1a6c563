// Verdicts on two arms: runs of one workload by two builds, taken in turns. A verdict is about a cost; a rate
// is turned over first, so "slower" is also: fewer tokens, more misses, more bytes.
//
// A block is the i-th run of either arm, a value the median that this run stored. Processes differ in more
// than their steps do (placement of memory, for one), so samples of one run are not independent evidence.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/record.h"
#include "results/statistics.h"

namespace results {

enum class verdict : std::uint8_t { faster, slower, same, ambiguous, incomparable };
inline constexpr int verdict_count = static_cast<int>(verdict::incomparable) + 1;
[[nodiscard]] std::string_view to_string(verdict v);
[[nodiscard]] std::optional<verdict> parse_verdict(std::string_view name);

// How one metric is judged.
struct metric_rule {
  std::string_view name;
  bool more_is_better = false;
  bool counted = false;  // the same in every run of one build: one value is enough
  double threshold = 0;  // smaller changes do not matter, as a share
};
[[nodiscard]] std::span<const metric_rule> metric_rules();

// By (label, metric): what two arms of one build differ by, as shares; see harness/gating/noise.h.
struct noise_floor {
  double interleaved = 0;
  double sequential = 0;  // one arm after the other
};
using noise_floors = std::map<std::pair<std::string, std::string>, noise_floor>;

struct judging_options {
  std::size_t min_blocks = 6;       // below that at best ambiguous
  double alpha = 0.05;              // of the rank test, after Holm's correction over all points
  std::optional<double> threshold;  // in place of those of timed metrics
  noise_floors floors;              // none for a metric: the whole interval must be beyond the threshold
  bootstrap_options bootstrap;
};

// What an operation's time did; its name tells the culprit.
struct operation_change {
  std::string kind;
  double before_us = 0, after_us = 0;
  double ratio = 1;
  interval bounds;
  [[nodiscard]] double growth_us() const { return after_us - before_us; }
};

struct judgement {
  std::string label, system, metric, unit;
  verdict what = verdict::incomparable;
  std::string why;               // one line; of what is ambiguous or incomparable
  double before = 0, after = 0;  // medians over blocks
  double ratio = 1;              // median over blocks of cost after / cost before
  interval bounds;
  std::optional<double> p;  // adjusted; none: counted, or too few blocks
  double threshold = 0;     // the metric's own, or the floor if that is higher
  double floor = 0;
  bool floor_is_measured = false;
  std::size_t blocks = 0;
  // Of a time that is slower or faster: operations that account for it, the largest first.
  std::vector<operation_change> operations;

  // Worth measuring again: half way to slower, or slower.
  [[nodiscard]] bool is_suspect() const;
};

// Runs of one workload by one build, oldest first.
using arm = std::vector<loaded_run>;

struct judged_arms {
  run_record before, after;  // the last run of each
  std::size_t runs_before = 0, runs_after = 0;
  bool interleaved = false;
  std::vector<std::string> objections;        // machines or builds differ: nothing is judged
  std::vector<judgement> judgements;          // by point, in the order of `before`
  std::vector<std::string> turned_incorrect;  // labels: right before, wrong after
  std::vector<std::string> turned_failing;    // labels: measured before, not measured after
  std::vector<std::string> only_before, only_after;
  // Over the points' step times; none if fewer than two were judged.
  std::optional<double> overall_ratio;
  interval overall_bounds;

  [[nodiscard]] bool any(verdict v) const;
};

// Both arms must hold a run.
[[nodiscard]] judged_arms judge(const arm& before, const arm& after, const judging_options& options = {});

// The values' verdict alone: before[i] and after[i] are block i. `p` of the result is not adjusted yet; see
// settle.
[[nodiscard]] judgement judge_values(const metric_rule& rule, std::span<const double> before,
                                     std::span<const double> after, const noise_floor* floor,
                                     bool interleaved, const judging_options& options);
// Adjusts the p-values of all timed judgements, and gives the verdicts that depend on them.
void settle(std::vector<judgement>& all, const judging_options& options);

// For people; for a pull request; for programs.
[[nodiscard]] std::string show_judged(const judged_arms& of);
[[nodiscard]] std::string judged_markdown(const judged_arms& of);
[[nodiscard]] nlohmann::ordered_json judged_json(const judged_arms& of);

}  // namespace results
