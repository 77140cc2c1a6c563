// Figures that are known in advance, whatever the machine.
#include <fmt/format.h>

#include "results/gain.h"
#include "results/point_facts.h"
#include "results/report/findings.h"

namespace results {
namespace {

// What noise may make of a ratio that should be 1 at most.
constexpr double most_by_noise = 1.02;

// Systems that hold no rows on the device.
bool has_no_pool(const loaded_point& of) {
  return of.point.system == "naive_memcpy" || of.point.system == "naive_gather";
}

control exact_control(const report_point& point, const char* what, const char* metric, double expected) {
  const double found = shown_metric(*point.of, metric)->median;
  return {.point = point.name,
          .what = what,
          .expected = fmt::format("{:.0f}", expected),
          .found = fmt::format("{:.6g}", found),
          .holds = found == expected};
}

void add_exact(const report_point& point, std::vector<control>& into) {
  if (shown_metric(*point.of, "hit_rate") == nullptr) return;
  if (point.of->point.system == "all_gpu") {
    into.push_back(exact_control(point, "everything is on the device, so every row is a hit", "hit_rate", 1));
    if (shown_metric(*point.of, "h2d_bytes_per_step") != nullptr)
      into.push_back(exact_control(point, "and nothing crosses the link", "h2d_bytes_per_step", 0));
  } else if (has_no_pool(*point.of)) {
    into.push_back(exact_control(point, "no pool, so every row is a miss", "hit_rate", 0));
  }
}

// A ratio that should be 1 at most, where both have as many requests.
void add_ceiling(const loaded_run& run, const report_point& point, std::vector<control>& into) {
  const loaded_point* reference = uncapped_reference(run, *point.of);
  const auto ratio = throughput_ratio(*point.of, reference);
  if (!ratio || point.of->point.system == "all_gpu" || batch_of(*reference) != point.batch) return;
  const gain_value found{*ratio, ratio_bounds(*point.of, reference, "tokens_per_s"), name_of(*reference)};
  into.push_back({.point = point.name,
                  .what = is_uncapped(*point.of)
                              ? "negative control: memory for everything, so offloading gains nothing"
                              : "ceiling: no faster than all_gpu without a memory budget at the same batch",
                  .expected = fmt::format("at most {:.2f}x {}", most_by_noise, found.reference),
                  .found = gain_text(found),
                  .holds = (found.bounds ? found.bounds->lo : found.ratio) <= most_by_noise});
}

}  // namespace

std::vector<control> controls_of(const report& of) {
  std::vector<control> all;
  for (const report_point& point : of.points) {
    add_exact(point, all);
    add_ceiling(*of.run, point, all);
  }
  return all;
}

}  // namespace results
