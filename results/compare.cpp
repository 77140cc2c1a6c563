#include "results/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "results/gain.h"

namespace results {
namespace {

using nlohmann::json;

std::string status_of(const loaded_point& point) {
  return point.last() == nullptr ? "not tried" : std::string(to_string(point.last()->status));
}

// Why two points cannot be compared at all.
std::string objection_to(const loaded_point& a, const loaded_point& b) {
  const auto is_ok = [](const loaded_point& p) {
    return p.last() != nullptr && p.last()->status == attempt_status::ok;
  };
  if (!is_ok(a) || !is_ok(b)) return fmt::format("status {} against {}", status_of(a), status_of(b));
  if (a.point.clock != b.point.clock) return fmt::format("clock {} against {}", a.point.clock, b.point.clock);
  return {};
}

std::optional<double> ratio_of(double above, double below) {
  const double ratio = above / below;
  if (above == 0.0 && below == 0.0) return 1.0;
  return std::isfinite(ratio) ? std::optional(ratio) : std::nullopt;
}

void compare_metrics(const loaded_point& a, const loaded_point& b, const bootstrap_options& options,
                     point_comparison& into) {
  for (const auto& [name, value] : a.last()->metrics) {
    const metric_value* other = find_metric(b, name);
    if (other == nullptr || other->unit != value.unit) continue;
    metric_comparison made{.name = name, .unit = value.unit, .a = value.median, .b = other->median};
    made.ratio = ratio_of(made.b, made.a);
    if (made.ratio) made.ratio_bounds = ratio_bounds(b, &a, name, options);
    into.metrics.push_back(std::move(made));
  }
}

struct pair_of_points {
  const loaded_run& run_a;
  const loaded_run& run_b;
  const loaded_point& a;
  const loaded_point& b;
};

void compare_gains(const pair_of_points& pair, point_comparison& into) {
  if (pair.a.point.system == "all_gpu") return;
  const auto a = throughput_ratio(pair.a, all_gpu_reference(pair.run_a, pair.a));
  const auto b = throughput_ratio(pair.b, all_gpu_reference(pair.run_b, pair.b));
  if (!a || !b) return;
  into.gain_incomparable = objection_to_gain(pair.a, pair.b);
  if (!into.gain_incomparable.empty()) return;
  into.gain = {.name = "gain over all_gpu",
               .unit = "",
               .a = *a,
               .b = *b,
               .ratio = ratio_of(*b, *a),
               .ratio_bounds = {}};
}

point_comparison compare_points(const pair_of_points& pair, const bootstrap_options& options) {
  point_comparison made{.label = pair.a.point.label, .system = pair.a.point.system};
  made.incomparable = objection_to(pair.a, pair.b);
  if (!made.incomparable.empty()) return made;
  compare_metrics(pair.a, pair.b, options, made);
  compare_gains(pair, made);
  return made;
}

}  // namespace

std::string objection_to_gain(const loaded_point& a, const loaded_point& b) {
  const metric_value* first = find_metric(a, "link_proportion");
  const metric_value* second = find_metric(b, "link_proportion");
  if (first == nullptr || second == nullptr) return {};
  const auto [low, high] = std::minmax(first->median, second->median);
  if (high - low <= link_proportion_tolerance * low) return {};
  return fmt::format("link proportion {:.3g} against {:.3g}", first->median, second->median);
}

comparison compare(const loaded_run& a, const loaded_run& b, const bootstrap_options& options) {
  comparison made{.a = a.run, .b = b.run};
  made.differences = all_differences(a, b);
  std::vector<std::pair<json, const loaded_point*>> left;  // of B, not matched yet
  for (const loaded_point& point : b.points) left.emplace_back(matching_key(point), &point);
  for (const loaded_point& point : a.points) {
    const json key = matching_key(point);
    const auto twin = std::ranges::find(left, key, &std::pair<json, const loaded_point*>::first);
    if (twin == left.end()) {
      made.only_in_a.push_back(point.point.label);
      continue;
    }
    made.points.push_back(compare_points({a, b, point, *twin->second}, options));
    left.erase(twin);
  }
  for (const auto& [key, point] : left) made.only_in_b.push_back(point->point.label);
  return made;
}

}  // namespace results
