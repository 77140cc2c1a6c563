#include "results/judging/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "results/judging/block_statistics.h"
#include "results/matching.h"

namespace results {
namespace {

constexpr std::array<std::string_view, verdict_count> verdict_names = {"faster", "slower", "same",
                                                                       "ambiguous", "incomparable"};

constexpr std::array<metric_rule, 9> rules = {{
    {.name = "step_time_us", .threshold = 0.03},
    {.name = "tpot_p50_us", .threshold = 0.05},
    {.name = "goodput_tokens_per_s", .more_is_better = true, .threshold = 0.05},
    {.name = "real_time_us", .threshold = 0.05},  // of Google Benchmark
    {.name = "transfer_us", .threshold = 0.05},
    {.name = "misses_over_topk", .counted = true, .threshold = 0.01},
    {.name = "h2d_bytes_per_step", .counted = true, .threshold = 0.01},
    {.name = "device_bytes", .counted = true, .threshold = 0.001},
    {.name = "batch_max", .more_is_better = true, .counted = true, .threshold = 0.001},
}};

// An operation is named if it accounts for this share of what the step gained or lost.
constexpr double culprit_share = 0.2;

bool all_equal(std::span<const double> values) {
  return std::ranges::all_of(values, [&](double x) { return x == values.front(); });
}

// By the ratio alone.
verdict by_threshold(double ratio, double threshold) {
  if (ratio > 1 + threshold) return verdict::slower;
  return ratio < 1 / (1 + threshold) ? verdict::faster : verdict::same;
}

std::vector<double> costs(const metric_rule& rule, std::span<const double> values) {
  std::vector<double> made(values.begin(), values.end());
  if (rule.more_is_better) std::ranges::transform(made, made.begin(), [](double x) { return 1 / x; });
  return made;
}

bool are_positive(std::span<const double> values) {
  return std::ranges::all_of(values, [](double x) { return x > 0 && std::isfinite(x); });
}

// Counts of one build do not vary, so one of each is enough; nor does what can be 0.
judgement judge_counted(judgement made, const metric_rule& rule) {
  if (made.before == made.after) {
    made.what = verdict::same;
    return made;
  }
  if (made.before <= 0 || made.after <= 0) {
    made.what = (made.after > made.before) == rule.more_is_better ? verdict::faster : verdict::slower;
    made.why = "from or to 0";
    return made;
  }
  made.ratio = rule.more_is_better ? made.before / made.after : made.after / made.before;
  made.bounds = {made.ratio, made.ratio};
  made.what = by_threshold(made.ratio, made.threshold);
  return made;
}

// Of the last attempt of each run; a run without it has NaN.
std::vector<double> medians_of(const std::vector<const loaded_point*>& points, std::string_view metric) {
  std::vector<double> values;
  for (const loaded_point* point : points) {
    const metric_value* value = find_metric(*point, metric);
    values.push_back(value == nullptr ? std::nan("") : value->median);
  }
  return values;
}

// One point in both arms: entry i of either is its form in run i.
struct matched_point {
  std::vector<const loaded_point*> before, after;
  [[nodiscard]] const loaded_point& first() const { return *before.front(); }
};

// A run's points by what they match by.
using points_by_key = std::map<nlohmann::json, const loaded_point*>;

std::vector<points_by_key> indexed(const arm& runs) {
  std::vector<points_by_key> all;
  for (const loaded_run& run : runs) {
    points_by_key& points = all.emplace_back();
    for (const loaded_point& point : run.points) points.emplace(matching_key(point), &point);
  }
  return all;
}

// Null entries where a run lacks the point.
std::vector<const loaded_point*> in_all(const std::vector<points_by_key>& runs, const nlohmann::json& key) {
  std::vector<const loaded_point*> found;
  for (const points_by_key& points : runs) {
    const auto at = points.find(key);
    found.push_back(at == points.end() ? nullptr : at->second);
  }
  return found;
}

bool is_ok(const loaded_point* point) {
  return point != nullptr && point->last() != nullptr && point->last()->status == attempt_status::ok;
}

std::string status_of(const loaded_point* point) {
  return point == nullptr || point->last() == nullptr ? "not tried"
                                                      : std::string(to_string(point->last()->status));
}

bool has_status(const std::vector<const loaded_point*>& points, attempt_status status) {
  return std::ranges::any_of(points, [&](const loaded_point* p) {
    return p != nullptr && p->last() != nullptr && p->last()->status == status;
  });
}

// Only blocks in which both runs measured the point.
matched_point good_blocks(const matched_point& all) {
  matched_point good;
  for (std::size_t i = 0; i < std::min(all.before.size(), all.after.size()); ++i) {
    if (!is_ok(all.before[i]) || !is_ok(all.after[i])) continue;
    good.before.push_back(all.before[i]);
    good.after.push_back(all.after[i]);
  }
  return good;
}

std::vector<operation_change> changes_of(const matched_point& point, const bootstrap_options& bootstrap) {
  constexpr std::string_view prefix = "op_", suffix = "_us";
  std::vector<operation_change> changes;
  for (const auto& [name, value] : point.first().last()->metrics) {
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const auto before = medians_of(point.before, name), after = medians_of(point.after, name);
    if (!are_positive(before) || !are_positive(after)) continue;
    const auto ratios = block_ratios(before, after);
    changes.push_back({.kind = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()),
                       .before_us = median(before),
                       .after_us = median(after),
                       .ratio = median(ratios),
                       .bounds = bootstrap_median_ratio(ratios, bootstrap)});
  }
  return changes;
}

// Those that changed beyond doubt, in the direction of the step, and by a part of its change that counts.
std::vector<operation_change> culprits(const matched_point& point, const judgement& of,
                                       const bootstrap_options& bootstrap) {
  const double grown = of.after - of.before;
  std::vector<operation_change> found = changes_of(point, bootstrap);
  std::erase_if(found, [&](const operation_change& c) {
    return c.bounds.contains(1.0) || c.growth_us() * grown <= 0 ||
           std::abs(c.growth_us()) < culprit_share * std::abs(grown);
  });
  std::ranges::stable_sort(found, std::ranges::greater{},
                           [](const operation_change& c) { return std::abs(c.growth_us()); });
  return found;
}

// Taken in turns: never more than two runs of one arm in a row.
bool are_interleaved(const arm& before, const arm& after) {
  std::vector<std::pair<utc_time, bool>> order;
  for (const loaded_run& run : before) order.emplace_back(run.run.started_at, false);
  for (const loaded_run& run : after) order.emplace_back(run.run.started_at, true);
  std::ranges::stable_sort(order);
  std::size_t in_a_row = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    in_a_row = i > 0 && order[i].second == order[i - 1].second ? in_a_row + 1 : 1;
    if (in_a_row > 2) return false;
  }
  return true;
}

// With a measured floor the ratio must be beyond it; without one the whole interval must be beyond the
// threshold.
double size_of_change(const judgement& of) {
  if (of.floor_is_measured) return of.ratio;
  return of.ratio > 1 ? std::max(1.0, of.bounds.lo) : std::min(1.0, of.bounds.hi);
}

void give_verdict(judgement& of, const judging_options& options) {
  const double limit = 1 + of.threshold;
  const verdict by_size = by_threshold(size_of_change(of), of.threshold);
  const bool certain = !of.bounds.contains(1.0) && *of.p < options.alpha;
  if (by_size != verdict::same && certain) {
    of.what = by_size;
  } else if (of.bounds.lo >= 1 / limit && of.bounds.hi <= limit) {
    of.what = verdict::same;
  } else {
    of.what = verdict::ambiguous;
    of.why = by_size == verdict::same ? "too noisy to tell" : "beyond the threshold, but not beyond chance";
  }
}

class arms_judge {
 public:
  arms_judge(const arm& before, const arm& after, const judging_options& options)
      : before_(before),
        after_(after),
        points_before_(indexed(before)),
        points_after_(indexed(after)),
        options_(options) {}

  judged_arms run() {
    made_.before = before_.back().run;
    made_.after = after_.back().run;
    made_.runs_before = before_.size();
    made_.runs_after = after_.size();
    made_.interleaved = are_interleaved(before_, after_);
    for (const difference& d : unlike_environments(before_.back().env, after_.back().env))
      made_.objections.push_back(fmt::format("{}: {} against {}", d.path, d.a, d.b));
    if (!made_.objections.empty()) return std::move(made_);
    for (const loaded_point& point : before_.back().points) judge_point(point);
    list_new_points();
    settle(made_.judgements, options_);
    name_operations();
    judge_overall();
    return std::move(made_);
  }

 private:
  void judge_point(const loaded_point& like) {
    const nlohmann::json key = matching_key(like);
    matched_point all{.before = in_all(points_before_, key), .after = in_all(points_after_, key)};
    if (all.after.back() == nullptr) {
      made_.only_before.push_back(like.point.label);
      return;
    }
    if (has_status(all.after, attempt_status::incorrect) &&
        !has_status(all.before, attempt_status::incorrect))
      made_.turned_incorrect.push_back(like.point.label);
    const matched_point good = good_blocks(all);
    if (good.before.empty()) {
      note_no_blocks(all, like);
      return;
    }
    for (const metric_rule& rule : rules) judge_metric(good, rule);
  }

  void note_no_blocks(const matched_point& all, const loaded_point& like) {
    if (is_ok(all.before.back()) && !has_status(all.after, attempt_status::incorrect))
      made_.turned_failing.push_back(like.point.label);
    made_.judgements.push_back({.label = like.point.label,
                                .system = like.point.system,
                                .metric = "",
                                .why = fmt::format("status {} against {}", status_of(all.before.back()),
                                                   status_of(all.after.back()))});
    matched_.emplace_back();
  }

  void judge_metric(const matched_point& good, const metric_rule& rule) {
    const metric_value* unit = find_metric(good.first(), rule.name);
    if (unit == nullptr) return;
    metric_rule as = rule;
    const auto before = medians_of(good.before, rule.name), after = medians_of(good.after, rule.name);
    if (good.first().point.clock == "virtual") as.counted = true;
    // Where requests arrive, or rows are fetched ahead, counts depend on times.
    if (as.counted && !(all_equal(before) && all_equal(after))) as.counted = false;
    const auto floor = options_.floors.find({good.first().point.label, std::string(rule.name)});
    judgement made =
        judge_values(as, before, after, floor == options_.floors.end() ? nullptr : &floor->second,
                     made_.interleaved, options_);
    made.label = good.first().point.label;
    made.system = good.first().point.system;
    made.unit = unit->unit;
    if (good.first().point.clock != good.after.front()->point.clock) {
      made.what = verdict::incomparable;
      made.why =
          fmt::format("clock {} against {}", good.first().point.clock, good.after.front()->point.clock);
    }
    made_.judgements.push_back(std::move(made));
    matched_.push_back(good);
  }

  void list_new_points() {
    for (const loaded_point& point : after_.back().points) {
      if (!points_before_.back().contains(matching_key(point))) made_.only_after.push_back(point.point.label);
    }
  }

  void name_operations() {
    for (std::size_t i = 0; i < made_.judgements.size(); ++i) {
      judgement& of = made_.judgements[i];
      if (of.metric != "step_time_us" ||
          (of.what != verdict::slower && of.what != verdict::faster && !of.is_suspect()))
        continue;
      of.operations = culprits(matched_[i], of, options_.bootstrap);
    }
  }

  void judge_overall() {
    std::vector<std::vector<double>> ratios;
    std::vector<double> medians;
    for (std::size_t i = 0; i < made_.judgements.size(); ++i) {
      const judgement& of = made_.judgements[i];
      if (of.metric != "step_time_us" || of.what == verdict::incomparable) continue;
      const matched_point& point = matched_[i];
      ratios.push_back(block_ratios(medians_of(point.before, of.metric), medians_of(point.after, of.metric)));
      if (ratios.back().size() != ratios.front().size()) return;  // not the same blocks
      medians.push_back(median(ratios.back()));
    }
    if (ratios.size() < 2) return;
    made_.overall_ratio = geometric_mean(medians);
    made_.overall_bounds = bootstrap_geometric_mean(ratios, options_.bootstrap);
  }

  const arm& before_;
  const arm& after_;
  std::vector<points_by_key> points_before_, points_after_;  // of each run
  const judging_options& options_;
  judged_arms made_;
  std::vector<matched_point> matched_;  // of each judgement
};

}  // namespace

std::string_view to_string(verdict v) { return verdict_names.at(static_cast<std::size_t>(v)); }

std::optional<verdict> parse_verdict(std::string_view name) {
  const auto at = std::ranges::find(verdict_names, name);
  if (at == verdict_names.end()) return std::nullopt;
  return static_cast<verdict>(at - verdict_names.begin());
}

std::span<const metric_rule> metric_rules() { return rules; }

bool judgement::is_suspect() const { return what != verdict::incomparable && p && ratio > 1 + threshold / 2; }

bool judged_arms::any(verdict v) const {
  return std::ranges::any_of(judgements, [&](const judgement& j) { return j.what == v; });
}

judgement judge_values(const metric_rule& rule, std::span<const double> before, std::span<const double> after,
                       const noise_floor* floor, bool interleaved, const judging_options& options) {
  judgement made{.metric = std::string(rule.name),
                 .before = median(before),
                 .after = median(after),
                 .threshold = rule.counted ? rule.threshold : options.threshold.value_or(rule.threshold),
                 .blocks = before.size()};
  if (rule.counted) return judge_counted(std::move(made), rule);
  made.what = verdict::ambiguous;
  if (!are_positive(before) || !are_positive(after)) {
    made.what = verdict::incomparable;
    made.why = "not a positive number in every run";
    return made;
  }
  const auto ratios = block_ratios(costs(rule, before), costs(rule, after));
  made.ratio = median(ratios);
  made.bounds = bootstrap_median_ratio(ratios, options.bootstrap);
  if (floor != nullptr) made.floor = interleaved ? floor->interleaved : floor->sequential;
  made.floor_is_measured = floor != nullptr;
  made.threshold = std::max(made.threshold, made.floor);
  if (ratios.size() < options.min_blocks) {
    made.why = fmt::format("{} block{}; a verdict takes {}", ratios.size(), ratios.size() == 1 ? "" : "s",
                           options.min_blocks);
  } else if (!interleaved && floor == nullptr) {
    made.why = "arms not taken in turns, and no recorded noise to hold that against";
  } else {
    made.p = signed_rank_p(ratios);
  }
  return made;
}

void settle(std::vector<judgement>& all, const judging_options& options) {
  std::vector<judgement*> timed;
  std::vector<double> p;
  for (judgement& j : all) {
    if (!j.p) continue;
    timed.push_back(&j);
    p.push_back(*j.p);
  }
  const auto adjusted = holm_adjusted(p);
  for (std::size_t i = 0; i < timed.size(); ++i) {
    timed[i]->p = adjusted[i];
    give_verdict(*timed[i], options);
  }
}

judged_arms judge(const arm& before, const arm& after, const judging_options& options) {
  return arms_judge(before, after, options).run();
}

}  // namespace results
