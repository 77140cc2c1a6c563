#include "results/report/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "results/point_facts.h"

namespace results {
namespace {

using names = std::vector<std::string>;

std::string plural(std::size_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

// The first few, so that a verdict stays a sentence.
std::string some_of(const names& all) {
  constexpr std::size_t most = 6;
  const names first(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size())));
  const std::size_t more = all.size() - first.size();
  return fmt::format("{}{}", fmt::join(first, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

template <class Predicate>
names names_where(const report& of, Predicate is_meant) {
  names found;
  for (const report_point& p : of.points) {
    if (is_meant(p)) found.push_back(p.name);
  }
  return found;
}

bool is_timed(const report_point& p) { return p.of->last() != nullptr && is_measured(p.of->last()->status); }
bool is_virtual(const report_point& p) { return p.of->point.clock == "virtual"; }
bool is_emulated(const report_point& p) { return p.of->point.device == "cuda_emulated"; }
bool is_checked(const report_point& p) { return !p.of->last()->accuracy.empty(); }

class verdict_writer {
 public:
  explicit verdict_writer(const report& of) : of_(of) {}

  [[nodiscard]] std::vector<finding> write() {
    add_clock();
    add_rightness();
    add_controls();
    add_comparison();
    add_completeness();
    add_gain();
    add_link();
    add_build();
    return std::move(all_);
  }

 private:
  void add(tone how, std::string title, std::string text) {
    all_.push_back({how, std::move(title), std::move(text)});
  }

  void add_clock() {
    const names simulated = names_where(of_, is_virtual);
    if (!simulated.empty()) {
      add(tone::warning, "SIMULATED, not measured",
          fmt::format("clock: virtual. {} a model of a cluster ({}); nothing was timed.",
                      simulated.size() == of_.points.size() ? "All times come from"
                                                            : "Times of " + some_of(simulated) + " come from",
                      std::ranges::find_if(of_.points, is_virtual)->of->point.device));
    }
    if (std::ranges::any_of(of_.points, is_emulated)) {
      add(tone::warning, "EMULATED: the times mean nothing",
          "The device cuda_emulated runs a GPU's source on the CPU: results can be right or wrong, but its "
          "times say nothing of a GPU.");
    }
  }

  void add_rightness() {
    const names wrong = names_where(of_, [](const auto& p) { return p.status == "incorrect"; });
    const auto timed = [](const auto& p) { return is_timed(p) && !is_virtual(p); };
    const names unchecked = names_where(of_, [&](const auto& p) { return timed(p) && !is_checked(p); });
    const names checked = names_where(of_, [&](const auto& p) { return timed(p) && is_checked(p); });
    if (!wrong.empty()) {
      add(tone::bad, "WRONG RESULTS",
          fmt::format("{} failed the accuracy check and {} no time: {}.", plural(wrong.size(), "point"),
                      wrong.size() == 1 ? "has" : "have", some_of(wrong)));
    }
    if (!unchecked.empty()) {
      add(tone::warning, "Not checked",
          fmt::format("{} stored no accuracy figures: {}.", plural(unchecked.size(), "point"),
                      some_of(unchecked)));
    }
    if (wrong.empty() && unchecked.empty() && !checked.empty()) {
      add(tone::good, "Results are right",
          fmt::format("{} passed the accuracy check before being timed.", plural(checked.size(), "point")));
    }
    if (!of_.points.empty() && std::ranges::all_of(of_.points, is_virtual))
      add(tone::note, "No values to check", "The simulator computes no values, only times.");
  }

  void add_controls() {
    names failed;
    for (const control& c : of_.controls) {
      if (!c.holds) failed.push_back(c.point);
    }
    if (failed.empty()) return;
    add(tone::bad, fmt::format("{} of {} failed", failed.size(), plural(of_.controls.size(), "control")),
        fmt::format("{}: a figure that is known in advance came out otherwise. Trust no gain before that is "
                    "explained.",
                    some_of(failed)));
  }

  void add_comparison() {
    const judged_arms* arms = of_.extras.comparison;
    if (arms == nullptr) return;
    if (!arms->objections.empty()) {
      return add(tone::warning, "Against the baseline: incomparable",
                 fmt::format("{}.", fmt::join(arms->objections, "; ")));
    }
    names parts;
    for (int i = 0; i < verdict_count; ++i) {
      const auto v = static_cast<verdict>(i);
      const auto n = std::ranges::count(arms->judgements, v, &judgement::what);
      if (n > 0) parts.push_back(fmt::format("{} {}", n, to_string(v)));
    }
    if (!arms->turned_incorrect.empty())
      parts.push_back(fmt::format("{} right before and wrong now", some_of(arms->turned_incorrect)));
    if (!arms->turned_failing.empty())
      parts.push_back(fmt::format("{} measured before and not now", some_of(arms->turned_failing)));
    const bool is_worse =
        arms->any(verdict::slower) || !arms->turned_incorrect.empty() || !arms->turned_failing.empty();
    const bool is_known = !arms->any(verdict::ambiguous);
    add(is_worse   ? tone::bad
        : is_known ? tone::good
                   : tone::note,
        fmt::format("Against the baseline: {}", is_worse   ? "worse"
                                                : is_known ? "no worse"
                                                           : "cannot tell"),
        parts.empty() ? "Nothing to judge." : fmt::format("{}.", fmt::join(parts, ", ")));
  }

  void add_completeness() {
    std::map<std::string, std::size_t> by_status;
    for (const report_point& p : of_.points) ++by_status[p.status];
    const std::size_t ok = by_status["ok"];
    by_status.erase("ok");
    const std::string total = plural(of_.points.size(), "point");
    if (of_.points.empty()) return add(tone::warning, "Nothing was run", "The run holds no point.");
    if (by_status.empty()) return add(tone::good, "Complete", fmt::format("{}, all ok.", total));
    names parts;
    for (const auto& [status, n] : by_status) parts.push_back(fmt::format("{} {}", n, status));
    add(tone::warning, fmt::format("{} of {} ok", ok, total),
        fmt::format("The others: {}.", fmt::join(parts, ", ")));
  }

  [[nodiscard]] const report_point* best() const {
    const report_point* found = nullptr;
    for (const report_point& p : of_.points) {
      if (!p.gain || p.of->point.system == "all_gpu") continue;
      if (found == nullptr || p.gain->ratio > found->gain->ratio) found = &p;
    }
    return found;
  }

  void add_gain() {
    const report_point* point = best();
    if (point == nullptr || std::ranges::any_of(of_.points, is_emulated)) return;
    const gain_value& gain = *point->gain;
    const interval bounds = gain.bounds.value_or(interval{gain.ratio, gain.ratio});
    const std::string_view how = bounds.lo > 1   ? "more than"
                                 : bounds.hi < 1 ? "less than"
                                                 : "which cannot be told from";
    add(bounds.lo > 1 ? tone::good : tone::note, fmt::format("Best: {} over all_gpu", gain_text(gain)),
        fmt::format("{}, {} tokens/s, {} {} in the same budget.{}", point->name,
                    short_number(find_metric(*point->of, "tokens_per_s")->median), how, gain.reference,
                    point->of_uncapped ? fmt::format(" That is {:.1f} % of all_gpu without a memory budget.",
                                                     100 * *point->of_uncapped)
                                       : ""));
  }

  void add_link() {
    std::set<std::string> proportions;
    for (const report_point& p : of_.points) {
      if (const metric_value* value = find_metric(*p.of, "link_proportion"))
        proportions.insert(fmt::format("{:.2f}", value->median));
    }
    if (!proportions.empty()) {
      add(tone::note, fmt::format("Link proportion {}", fmt::join(proportions, ", ")),
          "The time to gather one query token's rows for the whole batch, in steps of all_gpu without a "
          "budget. Gains compare only with runs where it agrees.");
    }
    if (std::ranges::any_of(of_.points, [](const auto& p) { return link_is(*p.of, false); })) {
      add(tone::warning, "Link not paced",
          "Both tiers are one DRAM, so transfers cost what memcpy costs here: gains say nothing of a GPU.");
    }
  }

  void add_build() {
    const nlohmann::json::json_pointer type("/build/type");
    if (!of_.run->env.contains(type) || !of_.run->env.at(type).is_string()) return;
    const auto built = of_.run->env.at(type).get<std::string>();
    if (built == "Release" || built == "RelWithDebInfo") return;
    add(tone::warning, "Slow build",
        fmt::format("essbench was built as {}: times are not representative.", built));
  }

  const report& of_;
  std::vector<finding> all_;
};

}  // namespace

std::string gain_text(const gain_value& of) {
  if (!of.bounds) return fmt::format("{:.2f}x", of.ratio);
  return fmt::format("{:.2f}x [{:.2f}, {:.2f}]", of.ratio, of.bounds->lo, of.bounds->hi);
}

std::vector<finding> findings_of(const report& of) { return verdict_writer(of).write(); }

}  // namespace results
