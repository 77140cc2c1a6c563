#include "results/report/report.h"

#include <algorithm>
#include <array>
#include <utility>

#include "results/gain.h"
#include "results/point_facts.h"
#include "results/report/findings.h"

namespace results {
namespace {

std::optional<double> number_at(const settings& of, const char* path) {
  const auto at = of.find(path);
  if (at == of.end() || !at->is_number()) return std::nullopt;
  return at->get<double>();
}

// Nothing where there is no pool, or where it makes no difference.
std::optional<double> pool_share(const loaded_point& point) {
  const metric_value* hits = shown_metric(point, "hit_rate");
  const metric_value* moved = shown_metric(point, "h2d_bytes_per_step");
  if (hits == nullptr || moved == nullptr || !(hits->median > 0) || !(moved->median > 0)) return std::nullopt;
  const auto rows = number_at(point.point.effective, "pool_rows");
  const auto context = number_at(point.point.effective, "context_tokens");
  if (rows && context && *context > 0) return *rows / *context;
  return number_at(point.point.effective, "sparse_ratio");
}

std::optional<gain_value> gain_of(const loaded_run& run, const loaded_point& point) {
  const loaded_point* reference = all_gpu_reference(run, point);
  const auto ratio = throughput_ratio(point, reference);
  if (!ratio) return std::nullopt;
  gain_value made{.ratio = *ratio, .reference = name_of(*reference)};
  if (reference != &point) made.bounds = ratio_bounds(point, reference, "tokens_per_s");
  return made;
}

report_point describe(const loaded_run& run, const loaded_point& point, bool has_ceiling) {
  report_point made{.of = &point, .name = name_of(point), .status = status_of(point)};
  if (point.last() != nullptr && point.last()->status != attempt_status::ok) made.reason = reason_of(point);
  made.is_ceiling = has_ceiling && is_uncapped(point);
  if (!made.is_ceiling) made.gain = gain_of(run, point);
  if (has_ceiling) made.of_uncapped = throughput_ratio(point, uncapped_reference(run, point));
  made.batch = batch_of(point);
  made.context_tokens = number_at(point.point.effective, "context_tokens");
  made.pool_share = pool_share(point);
  return made;
}

struct rates {
  double all = 0, user = 0;
  // At least as good in both, and better in one.
  [[nodiscard]] bool beats(const rates& other) const {
    return all >= other.all && user >= other.user && (all > other.all || user > other.user);
  }
};

std::optional<rates> rates_of(const report_point& point) {
  const metric_value* all = find_metric(*point.of, "tokens_per_s");
  const metric_value* user = find_metric(*point.of, "tokens_per_s_per_user");
  if (all == nullptr || user == nullptr || point.is_ceiling || point.status != "ok") return std::nullopt;
  return rates{all->median, user->median};
}

// Only points that answer the same question compete, and one alone wins nothing.
void mark_fronts(std::vector<report_point>& points) {
  std::map<std::string, std::vector<std::pair<report_point*, rates>>> by_question;
  for (report_point& point : points) {
    if (const auto of = rates_of(point)) by_question[question_of(*point.of)].emplace_back(&point, *of);
  }
  for (const auto& [question, rivals] : by_question) {
    for (const auto& [point, own] : rivals) {
      point->is_on_front = rivals.size() > 1 && std::ranges::none_of(rivals, [&own = own](const auto& rival) {
                             return rival.second.beats(own);
                           });
    }
  }
}

}  // namespace

std::string_view to_string(tone t) {
  static constexpr std::array<std::string_view, 4> words = {"good", "note", "warning", "bad"};
  return words.at(static_cast<std::size_t>(t));
}

report make_report(const loaded_run& run, report_extras extras) {
  report made{.run = &run, .extras = std::move(extras)};
  const bool has_ceiling = has_uncapped_reference(run);
  for (const loaded_point& point : run.points) made.points.push_back(describe(run, point, has_ceiling));
  mark_fronts(made.points);
  made.controls = controls_of(made);
  made.findings = findings_of(made);
  return made;
}

}  // namespace results
