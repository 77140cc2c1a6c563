#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "results/markdown.h"
#include "results/point_facts.h"
#include "results/report/findings.h"
#include "results/report/report.h"
#include "results/text_table.h"

namespace results {
namespace {

using row = std::vector<std::string>;

std::string line_of(const row& cells) { return fmt::format("| {} |\n", fmt::join(cells, " | ")); }

// `text_columns`: how many of the first columns are words; the others are numbers, to the right.
std::string table_of(const row& headings, std::size_t text_columns, const std::vector<row>& rows) {
  row rule;
  for (std::size_t i = 0; i < headings.size(); ++i) rule.push_back(i < text_columns ? "---" : "--:");
  std::string text = line_of(headings) + line_of(rule);
  for (const row& cells : rows) text += line_of(cells);
  return text;
}

std::string folded(const std::string& summary, const std::string& text) {
  return text.empty() ? ""
                      : fmt::format("\n<details><summary>{}</summary>\n\n{}\n</details>\n", summary, text);
}

std::string interval_text(const metric_value& of, double scale) {
  const std::string middle = short_number(of.median * scale);
  if (of.lo == of.hi) return middle;
  return fmt::format("{} [{}, {}]", middle, short_number(of.lo * scale), short_number(of.hi * scale));
}

struct column {
  std::string heading;
  std::function<std::string(const report_point&)> cell;  // empty where the point has nothing
};

column metric_column(std::string heading, std::string name, double scale) {
  return {std::move(heading), [name = std::move(name), scale](const report_point& p) {
            const metric_value* value = shown_metric(*p.of, name);
            return value == nullptr ? std::string() : markdown_text(interval_text(*value, scale));
          }};
}

std::vector<column> number_columns() {
  return {{"batch", [](const report_point& p) { return p.batch ? fmt::format("{:.0f}", *p.batch) : ""; }},
          metric_column("step, ms", "step_time_us", 1e-3),
          metric_column("tokens/s", "tokens_per_s", 1),
          {"over all_gpu",
           [](const report_point& p) { return p.gain ? markdown_text(gain_text(*p.gain)) : std::string(); }},
          {"of uncapped",
           [](const report_point& p) {
             return p.of_uncapped ? fmt::format("{:.1f} %", 100 * *p.of_uncapped) : "";
           }},
          metric_column("TPOT p99, ms", "tpot_p99_us", 1e-3),
          metric_column("within SLO, %", "slo_met_share", 100),
          metric_column("hits, %", "hit_rate", 100),
          metric_column("MB in a step", "h2d_bytes_per_step", 1e-6),
          metric_column("exposed, us a layer", "exposed_transfer_us_per_layer", 1)};
}

std::string points_table(const report& of) {
  std::vector<column> columns = number_columns();
  std::erase_if(columns, [&](const column& c) {
    return std::ranges::none_of(of.points, [&](const report_point& p) { return !c.cell(p).empty(); });
  });
  row headings = {"point", "status"};
  for (const column& c : columns) headings.push_back(markdown_text(c.heading));
  std::vector<row> rows;
  for (const report_point& p : of.points) {
    row& cells = rows.emplace_back(row{markdown_text(p.name), markdown_text(p.status)});
    for (const column& c : columns) {
      const std::string text = c.cell(p);
      cells.push_back(text.empty() ? "-" : text);
    }
  }
  return table_of(headings, 2, rows);
}

std::string findings_text(const report& of) {
  std::string text;
  for (const finding& f : of.findings) {
    const std::string_view mark = f.how == tone::bad       ? ":x: "
                                  : f.how == tone::warning ? ":warning: "
                                  : f.how == tone::good    ? ":white_check_mark: "
                                                           : "";
    text += fmt::format("- {}**{}**: {}\n", mark, markdown_text(f.title), markdown_text(f.text));
  }
  return text;
}

std::string failures_text(const report& of) {
  std::vector<row> rows;
  for (const report_point& p : of.points) {
    if (!p.reason.empty())
      rows.push_back({markdown_text(p.name), markdown_text(p.status), markdown_text(p.reason)});
  }
  return rows.empty() ? "" : "\nNot ok:\n\n" + table_of({"point", "status", "why"}, 3, rows);
}

std::string operations_text(const report& of) {
  std::vector<row> rows;
  for (const report_point& p : of.points) {
    if (p.of->last() == nullptr || !is_measured(p.of->last()->status)) continue;
    for (const auto& [kind, us] : operations_of(*p.of))
      rows.push_back({markdown_text(p.name), markdown_text(kind), short_number(us)});
  }
  return rows.empty() ? "" : table_of({"point", "operation", "us a step"}, 2, rows);
}

std::string accuracy_text(const report& of) {
  std::vector<row> rows;
  for (const report_point& p : of.points) {
    if (p.of->last() == nullptr) continue;
    for (const auto& [name, value] : p.of->last()->accuracy)
      rows.push_back({markdown_text(p.name), markdown_text(name), fmt::format("{:.2g}", value)});
  }
  return rows.empty() ? "" : table_of({"point", "check", "error"}, 2, rows);
}

std::string controls_text(const report& of) {
  std::vector<row> rows;
  for (const control& c : of.controls) {
    rows.push_back({markdown_text(c.point), markdown_text(c.what), markdown_text(c.expected),
                    markdown_text(c.found), c.holds ? "yes" : "**NO**"});
  }
  return rows.empty() ? "" : table_of({"point", "control", "expected", "found", "holds"}, 5, rows);
}

std::string published_text(const report& of) {
  std::vector<row> rows;
  for (const published_row& r : of.extras.published) {
    rows.push_back({markdown_text(r.point), markdown_text(r.metric), markdown_text(r.source),
                    fmt::format("{:.6g}", r.published), fmt::format("{:.6g}", r.ours),
                    fmt::format("{:+.1f}", 100 * (r.ours / r.published - 1))});
  }
  return rows.empty() ? ""
                      : table_of({"point", "metric", "source", "published", "here", "off by, %"}, 3, rows);
}

std::string repeat_text(const report& of) {
  std::string text;
  for (const report_point& p : of.points) {
    const auto at = of.extras.repeat.find(p.of->point.label);
    if (at != of.extras.repeat.end()) text += printable(at->second.command) + "\n";
  }
  return text.empty() ? "" : "```sh\n" + text + "```\n";
}

std::string comparison_text(const report& of) {
  if (of.extras.comparison == nullptr) return "";
  return "\n#### Against the baseline\n\n" + judged_markdown(*of.extras.comparison);
}

}  // namespace

std::string report_markdown(const report& of) {
  return fmt::format("### essbench: {}\n\n", markdown_text(of.run->run.workload_name)) + findings_text(of) +
         "\n" + points_table(of) + failures_text(of) + comparison_text(of) +
         fmt::format("\n{}; run {}, {}\n", markdown_text(environment_line(*of.run)),
                     markdown_text(of.run->run.id), to_iso8601(of.run->run.started_at)) +
         folded("Published values", published_text(of)) + folded("Controls", controls_text(of)) +
         folded("Time by operation", operations_text(of)) + folded("Accuracy", accuracy_text(of)) +
         folded("Run a point again", repeat_text(of));
}

}  // namespace results
