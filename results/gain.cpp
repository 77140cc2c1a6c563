#include "results/gain.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace results {
namespace {

// What a cache system, or its measurement, may have of its own.
constexpr std::array<std::string_view, 12> own_settings = {
    "system", "batch",          "steps",         "sparse_ratio", "pool_rows", "policy",
    "warmup", "warmup_windows", "prefetch_rows", "handover",     "overlap",   "host_row_pitch_bytes"};
constexpr std::array<std::string_view, 3> budgets = {
    "device_budget_bytes", "device_budget_beyond_weights_bytes", "host_budget_bytes"};

enum class budget_rule : std::uint8_t { same, any };

bool is_own(std::string_view path) {
  return std::ranges::find(own_settings, path) != own_settings.end() || path.starts_with("measure.") ||
         path.starts_with("accuracy.");
}

nlohmann::json question_of(const loaded_point& point, budget_rule rule) {
  nlohmann::json question = {{"(device)", point.point.device}, {"(clock)", point.point.clock}};
  for (const auto& [path, value] : point.point.requested.items()) {
    const bool is_budget = std::ranges::find(budgets, path) != budgets.end();
    if (!is_own(path) && !(is_budget && rule == budget_rule::any)) question[path] = value;
  }
  return question;
}

std::optional<double> throughput(const loaded_point& point) {
  const metric_value* rate = find_metric(point, "tokens_per_s");
  if (rate == nullptr || point.last()->status != attempt_status::ok || !(rate->median > 0))
    return std::nullopt;
  return rate->median;
}

std::vector<const loaded_point*> candidates(const loaded_run& run, const loaded_point& of, budget_rule rule) {
  std::vector<const loaded_point*> found;
  const nlohmann::json question = question_of(of, rule);
  for (const loaded_point& other : run.points) {
    if (other.point.system == "all_gpu" && throughput(other) && question_of(other, rule) == question) {
      found.push_back(&other);
    }
  }
  return found;
}

const loaded_point* fastest(const std::vector<const loaded_point*>& points) {
  const auto best =
      std::ranges::max_element(points, {}, [](const loaded_point* p) { return *throughput(*p); });
  return best == points.end() ? nullptr : *best;
}

// Null where there are no samples to resample, or one of them is no number.
const std::vector<double>* samples_of(const loaded_point& point, const std::string& metric) {
  const auto& all = point.last()->samples;
  const auto at = all.find(metric);
  if (at == all.end() || at->second.size() < 2) return nullptr;
  const bool finite = std::ranges::all_of(at->second, [](double x) { return std::isfinite(x); });
  return finite ? &at->second : nullptr;
}

}  // namespace

std::string question_of(const loaded_point& point) {
  return question_of(point, budget_rule::same).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_uncapped(const loaded_point& point) {
  for (const settings* of : {&point.point.effective, &point.point.requested}) {
    const auto at = of->find("device_budget_bytes");
    if (at != of->end()) return at->is_number() && at->get<double>() == 0.0;
  }
  return false;
}

const loaded_point* all_gpu_reference(const loaded_run& run, const loaded_point& of) {
  return fastest(candidates(run, of, budget_rule::same));
}

const loaded_point* uncapped_reference(const loaded_run& run, const loaded_point& of) {
  auto points = candidates(run, of, budget_rule::any);
  std::erase_if(points, [](const loaded_point* p) { return !is_uncapped(*p); });
  const auto same =
      std::ranges::find_if(points, [&](const loaded_point* p) { return batch_of(*p) == batch_of(of); });
  return same != points.end() ? *same : fastest(points);
}

std::optional<double> throughput_ratio(const loaded_point& point, const loaded_point* reference) {
  if (reference == nullptr) return std::nullopt;
  const auto above = throughput(point);
  const auto below = throughput(*reference);
  if (!above || !below) return std::nullopt;
  return *above / *below;
}

std::optional<interval> ratio_bounds(const loaded_point& point, const loaded_point* reference,
                                     const std::string& metric, const bootstrap_options& options) {
  if (reference == nullptr) return std::nullopt;
  const std::vector<double>* above = samples_of(point, metric);
  const std::vector<double>* below = samples_of(*reference, metric);
  if (above == nullptr || below == nullptr) return std::nullopt;
  const interval bounds = bootstrap_ratio_of_medians(*above, *below, options);
  return std::isfinite(bounds.lo) && std::isfinite(bounds.hi) ? std::optional(bounds) : std::nullopt;
}

std::optional<double> batch_of(const loaded_point& point) {
  if (const metric_value* batch = find_metric(point, "batch")) return batch->median;
  const auto at = point.point.effective.find("batch");
  if (at == point.point.effective.end() || !at->is_number()) return std::nullopt;
  return at->get<double>();
}

}  // namespace results
