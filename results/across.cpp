#include "results/across.h"

#include <fmt/format.h>

#include <algorithm>

#include "results/compare.h"
#include "results/gain.h"
#include "results/matching.h"
#include "results/text_table.h"

namespace results {
namespace {

std::optional<double> median_of(const loaded_point& point, std::string_view metric) {
  const metric_value* value = find_metric(point, metric);
  return value == nullptr ? std::nullopt : std::optional(value->median);
}

std::optional<double> setting_of(const loaded_point& point, const char* path) {
  const auto at = point.point.effective.find(path);
  return at == point.point.effective.end() || !at->is_number() ? std::nullopt
                                                               : std::optional(at->get<double>());
}

bool link_is_paced(const loaded_point& point) {
  const auto at = point.point.effective.find("link.paced");
  return point.point.device == "cpu" && at != point.point.effective.end() && *at == true;
}

// The fastest of the transfers of one kind, in GB/s.
std::optional<double> calibrated(const loaded_run* calibration, std::string_view kind) {
  if (calibration == nullptr) return std::nullopt;
  std::optional<double> best;
  for (const loaded_point& point : calibration->points) {
    const auto rate = median_of(point, "transfer_gb_per_s");
    if (point.point.system == kind && rate) best = std::max(best.value_or(0), *rate);
  }
  return best;
}

using figure = std::optional<normalised_value>;

figure share(std::optional<double> part, std::optional<double> whole) {
  if (!part || !whole || !(*whole > 0)) return std::nullopt;
  return normalised_value{.value = *part / *whole, .bounds = {}};
}

figure ratio_to(const loaded_point& point, const loaded_point* reference) {
  const auto ratio = throughput_ratio(point, reference);
  if (!ratio || reference == &point) return std::nullopt;
  return normalised_value{.value = *ratio, .bounds = ratio_bounds(point, reference, "tokens_per_s")};
}

figure over_all_gpu(const machine_results& of, const loaded_point& point) {
  return ratio_to(point, all_gpu_reference(*of.run, point));
}

figure of_uncapped(const machine_results& of, const loaded_point& point) {
  return ratio_to(point, uncapped_reference(*of.run, point));
}

// A paced link's own speed is what was asked for.
figure of_link(const machine_results& of, const loaded_point& point) {
  return share(median_of(point, "link_gb_per_s"), link_is_paced(point)
                                                      ? setting_of(point, "link.gather_gb_per_s")
                                                      : calibrated(of.calibration, "gather"));
}

// A copy within the device reads and writes.
figure of_memory(const machine_results& of, const loaded_point& point) {
  auto copied = calibrated(of.calibration, "device_copy");
  if (copied) *copied *= 2;
  return share(median_of(point, "index_keys_gb_per_s"), copied);
}

struct normalisation {
  const char* what;
  figure (*of)(const machine_results&, const loaded_point&);
  bool is_gain;
};

constexpr normalisation normalisations[] = {{"throughput over all_gpu", over_all_gpu, true},
                                            {"throughput of uncapped", of_uncapped, true},
                                            {"transfers, of the link's rate", of_link, false},
                                            {"index keys read, of the memory's rate", of_memory, false}};

bool is_ok(const loaded_point& point) {
  return point.last() != nullptr && point.last()->status == attempt_status::ok;
}

void add_figures(const machine_results& a, const loaded_point& of_a, const machine_results& b,
                 const loaded_point& of_b, across_comparison& into) {
  for (const normalisation& by : normalisations) {
    normalised_figure made{.label = of_a.point.label, .system = of_a.point.system, .what = by.what};
    made.a = is_ok(of_a) ? by.of(a, of_a) : std::nullopt;
    made.b = is_ok(of_b) ? by.of(b, of_b) : std::nullopt;
    if (!made.a && !made.b) continue;
    if (made.a && made.b && by.is_gain) made.incomparable = objection_to_gain(of_a, of_b);
    into.figures.push_back(std::move(made));
  }
}

std::string value_text(const figure& of) {
  if (!of) return "-";
  return of->bounds ? fmt::format("{:.3f} [{:.3f}, {:.3f}]", of->value, of->bounds->lo, of->bounds->hi)
                    : fmt::format("{:.3f}", of->value);
}

std::string ratio_text(const normalised_figure& of) {
  if (!of.incomparable.empty()) return "incomparable: " + of.incomparable;
  return of.a && of.b ? fmt::format("{:.2f}", of.b->value / of.a->value) : "-";
}

}  // namespace

across_comparison compare_across(const machine_results& a, const machine_results& b) {
  across_comparison made{.a = a.run->run, .b = b.run->run};
  for (const loaded_point& point : a.run->points) {
    const auto twin = std::ranges::find(b.run->points, matching_key(point), matching_key);
    if (twin != b.run->points.end()) add_figures(a, point, b, *twin, made);
  }
  for (const auto& [name, side] : {std::pair("A", a), std::pair("B", b)}) {
    if (side.calibration == nullptr)
      made.missing.push_back(
          fmt::format("{}: no `essbench calibrate` of that machine in its database", name));
  }
  return made;
}

std::string show_across(const across_comparison& of) {
  std::string text = fmt::format(
      "A: run {}, workload {}\nB: run {}, workload {}\nunlike machines: times are not compared, only what "
      "each "
      "machine's own measurements put in proportion\n\n",
      of.a.id, of.a.workload_name, of.b.id, of.b.workload_name);
  text_table table({{{"point"}, alignment::left},
                    {{"figure"}, alignment::left},
                    {{"A"}},
                    {{"B"}},
                    {{"B / A"}, alignment::left}});
  for (const normalised_figure& f : of.figures)
    table.add({f.label, f.what, value_text(f.a), value_text(f.b), ratio_text(f)});
  text += of.figures.empty() ? "nothing can be put in proportion\n" : table.text();
  for (const std::string& line : of.missing) text += line + "\n";
  return text;
}

}  // namespace results
