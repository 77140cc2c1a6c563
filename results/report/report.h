// One run as a report: a verdict first, then what was run, whether it is right, how fast it is and why.
//
// A report refers to its run, which must outlive it. It holds medians, intervals and counts, never samples.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/judging/judge.h"
#include "results/record.h"

namespace results {

// What runs a point again.
struct repeat_command {
  std::string command;
  std::string label;              // what the point is called there
  std::vector<std::string> also;  // labels of points that the command runs beside it
};

// A value from elsewhere, beside ours.
struct published_row {
  std::string point, metric, unit, source;
  double published = 0;
  double ours = 0;
};

// What does not follow from a stored run.
struct report_extras {
  std::map<std::string, repeat_command> repeat;  // by label of the point
  std::vector<published_row> published;
  nlohmann::json curve;                     // as `essbench trace curve --json` prints it; null: none
  const judged_arms* comparison = nullptr;  // with a baseline; must outlive the report
};

enum class tone : std::uint8_t { good, note, warning, bad };
[[nodiscard]] std::string_view to_string(tone t);

struct finding {
  tone how = tone::note;
  std::string title;
  std::string text;
};

struct gain_value {
  double ratio = 1;
  std::optional<interval> bounds;
  std::string reference;  // name of the point it is over
};

struct report_point {
  const loaded_point* of = nullptr;
  std::string name, status;
  std::string reason;        // of what is not ok
  bool is_ceiling = false;   // without a budget, beside points with one
  bool is_on_front = false;  // no point for the same question is better in tokens/s and in tokens/s per user
  std::optional<gain_value> gain;  // over all_gpu in the same budget
  std::optional<double> of_uncapped;
  std::optional<double> batch, context_tokens;
  std::optional<double> pool_share;  // of the context
};

// What must come out if the benchmark itself is sound.
struct control {
  std::string point, what, expected, found;
  bool holds = false;
};

struct report {
  const loaded_run* run = nullptr;
  report_extras extras;
  std::vector<finding> findings;  // the verdict, most important first
  std::vector<report_point> points;
  std::vector<control> controls;
};

[[nodiscard]] report make_report(const loaded_run& run, report_extras extras = {});

// What the page draws from. Numbers that are not finite are null.
[[nodiscard]] nlohmann::ordered_json report_json(const report& of);
// One file without anything outside of it. Text of the run is inert data in it.
[[nodiscard]] std::string report_html(const report& of);
// Whether essbench was built with Chart.js; without it a page shows tables alone.
[[nodiscard]] bool report_has_charts();
// For a pull request.
[[nodiscard]] std::string report_markdown(const report& of);

}  // namespace results
