#include "results/point_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "results/gain.h"
#include "results/text_table.h"

namespace results {
namespace {

constexpr std::string_view op_prefix = "op_";
constexpr std::string_view op_suffix = "_us";

}  // namespace

const metric_value* shown_metric(const loaded_point& point, std::string_view name) {
  const attempt_record* last = point.last();
  if (last == nullptr) return nullptr;
  const auto at = last->metrics.find(std::string(name));
  if (at == last->metrics.end()) return nullptr;
  return is_measured(last->status) || !is_time_unit(at->second.unit) ? &at->second : nullptr;
}

std::string name_of(const loaded_point& of) {
  if (of.point.label.starts_with(of.point.system)) return of.point.label;
  return fmt::format("{} ({})", of.point.label, of.point.system);
}

std::string status_of(const loaded_point& of) {
  return of.last() == nullptr ? "not tried" : std::string(to_string(of.last()->status));
}

std::string reason_of(const loaded_point& of) {
  std::string text = of.last()->reason.empty() ? "no reason was stored" : printable(of.last()->reason);
  if (of.last()->status == attempt_status::incorrect) text += "; a wrong result has no time";
  return text;
}

std::vector<std::pair<std::string, double>> operations_of(const loaded_point& point) {
  std::vector<std::pair<std::string, double>> operations;
  for (const auto& [name, value] : point.last()->metrics) {
    if (!name.starts_with(op_prefix) || !name.ends_with(op_suffix)) continue;
    const std::size_t length = name.size() - op_prefix.size() - op_suffix.size();
    operations.emplace_back(name.substr(op_prefix.size(), length), value.median);
  }
  std::ranges::stable_sort(operations, std::ranges::greater{}, &std::pair<std::string, double>::second);
  return operations;
}

bool link_is(const loaded_point& point, bool paced) {
  const auto at = point.point.effective.find("link.paced");
  return point.point.device == "cpu" && at != point.point.effective.end() && *at == paced;
}

bool has_uncapped_reference(const loaded_run& run) {
  return std::ranges::any_of(run.points, [&](const loaded_point& p) {
    return !is_uncapped(p) && uncapped_reference(run, p) != nullptr;
  });
}

std::string short_number(double value) {
  const double size = std::abs(value);
  return fmt::format("{:.{}f}", value, size < 10 ? 2 : size < 1000 ? 1 : 0);
}

}  // namespace results
