#include "results/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "results/gain.h"
#include "results/point_facts.h"
#include "results/show_benchmarks.h"
#include "results/text_table.h"

namespace results {
namespace {

struct row_context {
  const loaded_run& run;
  const loaded_point& point;
};

struct show_column {
  std::vector<std::string> heading;
  std::function<std::string(const row_context&)> cell;
  alignment align = alignment::right;
};

std::string metric_cell(const loaded_point& point, std::string_view name, double scale, int decimals) {
  const metric_value* value = shown_metric(point, name);
  return value == nullptr ? "-" : fmt::format("{:.{}f}", value->median * scale, decimals);
}

show_column metric_column(std::vector<std::string> heading, std::string name, double scale, int decimals) {
  return {std::move(heading), [name = std::move(name), scale, decimals](const row_context& row) {
            return metric_cell(row.point, name, scale, decimals);
          }};
}

std::string batch_cell(const row_context& row) {
  const auto batch = batch_of(row.point);
  return batch ? fmt::format("{:.0f}", *batch) : "-";
}

std::string step_cell(const row_context& row) {
  const metric_value* step = shown_metric(row.point, "step_time_us");
  if (step == nullptr) return "-";
  const double half = (step->hi - step->lo) / 2000.0;
  return fmt::format("{} \u00b1{}", short_number(step->median / 1000.0), short_number(half));
}

std::string rate_cell(const row_context& row) {
  const metric_value* rate = shown_metric(row.point, "tokens_per_s");
  return rate == nullptr ? "-" : short_number(rate->median);
}

std::string uncapped_cell(const row_context& row) {
  const auto share = throughput_ratio(row.point, uncapped_reference(row.run, row.point));
  return share ? fmt::format("{:.1f}%", *share * 100) : "-";
}

std::string samples_cell(const row_context& row) {
  const metric_value* step = shown_metric(row.point, "step_time_us");
  return step == nullptr ? "-" : fmt::format("{}", step->n);
}

bool any_point_has(const loaded_run& run, std::string_view metric) {
  return std::ranges::any_of(run.points,
                             [&](const loaded_point& p) { return shown_metric(p, metric) != nullptr; });
}

// A point without a budget beside points with one is the ceiling, not a competitor.
std::string gain_cell(const row_context& row) {
  if (is_uncapped(row.point) && has_uncapped_reference(row.run)) return "-";
  const loaded_point* reference = all_gpu_reference(row.run, row.point);
  const auto gain = throughput_ratio(row.point, reference);
  if (!gain) return "-";
  if (reference == &row.point) return fmt::format("{:.2f}x", *gain);
  const auto bounds = ratio_bounds(row.point, reference, "tokens_per_s");
  return bounds ? fmt::format("{:.2f}x \u00b1{:.2f}", *gain, (bounds->hi - bounds->lo) / 2)
                : fmt::format("{:.2f}x", *gain);
}

// Of workloads with arriving requests.
std::vector<show_column> serving_columns(const loaded_run& run) {
  std::vector<show_column> columns;
  const auto add = [&](std::vector<std::string> heading, const char* name, double scale) {
    if (any_point_has(run, name)) columns.push_back(metric_column(std::move(heading), name, scale, 1));
  };
  add({"TPOT p50", "ms"}, "tpot_p50_us", 1e-3);
  add({"TPOT p99", "ms"}, "tpot_p99_us", 1e-3);
  add({"TTFT p50", "ms"}, "first_token_p50_us", 1e-3);
  add({"TTFT p99", "ms"}, "first_token_p99_us", 1e-3);
  add({"within", "SLO %"}, "slo_met_share", 100);
  add({"goodput", "tokens/s"}, "goodput_tokens_per_s", 1);
  return columns;
}

// Of runs over several ranks.
std::vector<show_column> rank_columns(const loaded_run& run) {
  if (!any_point_has(run, "exposed_exchange_us_per_layer")) return {};
  return {metric_column({"exchange", "us/layer"}, "exposed_exchange_us_per_layer", 1, 0),
          metric_column({"busiest", "rank"}, "rank_imbalance", 1, 2)};
}

std::vector<show_column> columns_of(const loaded_run& run) {
  std::vector<show_column> columns = {
      {{"point"}, [](const row_context& row) { return name_of(row.point); }, alignment::left},
      {{"status"}, [](const row_context& row) { return status_of(row.point); }, alignment::left},
      {{"batch"}, batch_cell},
      metric_column({"largest", "batch"}, "batch_max", 1, 0),
      {{"step time", "ms"}, step_cell},
      {{"tokens/s"}, rate_cell},
      {{"over", "all_gpu"}, gain_cell}};
  if (has_uncapped_reference(run)) columns.push_back({{"of", "uncapped"}, uncapped_cell});
  for (show_column& column : serving_columns(run)) columns.push_back(std::move(column));
  columns.push_back(metric_column({"hits", "%"}, "hit_rate", 100, 1));
  columns.push_back(metric_column({"misses", "/top-k"}, "misses_over_topk", 1, 3));
  columns.push_back(metric_column({"MB in", "a step"}, "h2d_bytes_per_step", 1e-6, 2));
  if (any_point_has(run, "exposed_transfer_us_per_layer"))
    columns.push_back(metric_column({"exposed", "us/layer"}, "exposed_transfer_us_per_layer", 1, 0));
  for (show_column& column : rank_columns(run)) columns.push_back(std::move(column));
  columns.push_back(metric_column({"device", "MB"}, "device_bytes", 1e-6, 1));
  columns.push_back(metric_column({"host", "MB"}, "host_bytes", 1e-6, 1));
  columns.push_back(metric_column({"link", "prop."}, "link_proportion", 1, 2));
  columns.push_back({{"samples"}, samples_cell});
  return columns;
}

std::string table_of(const loaded_run& run) {
  const std::vector<show_column> columns = columns_of(run);
  std::vector<table_column> headings;
  for (const show_column& column : columns) headings.push_back({column.heading, column.align});
  text_table table(std::move(headings));
  for (const loaded_point& point : run.points) {
    std::vector<std::string> cells;
    for (const show_column& column : columns) cells.push_back(column.cell({run, point}));
    table.add(std::move(cells));
  }
  return table.text();
}

std::string clocks_of(const loaded_run& run) {
  std::set<std::string> all;
  for (const loaded_point& p : run.points) {
    const std::string_view note = p.point.clock == "virtual"          ? " (simulated, not measured)"
                                  : p.point.device == "cuda_emulated" ? " (its times say nothing of a GPU)"
                                                                      : "";
    const std::string_view link = link_is(p, true)    ? ", link paced"
                                  : link_is(p, false) ? ", link unpaced"
                                                      : "";
    all.insert(fmt::format("device {}, clock {}{}{}", p.point.device, p.point.clock, note, link));
  }
  const std::string ranks = run.env.contains("ranks") ? fmt::format("; {} ranks, batch and tokens/s of each",
                                                                    run.env.at("ranks").size())
                                                      : "";
  return fmt::format("{}{}\n", fmt::join(all, "; "), ranks);
}

// A simulation says the same whenever it runs, so it is not told when it did, nor which run it was.
std::string heading_of(const loaded_run& of) {
  const bool simulated = !of.points.empty() && std::ranges::all_of(of.points, [](const loaded_point& p) {
    return p.point.clock == "virtual";
  });
  if (simulated) return fmt::format("workload {}\n", of.run.workload_name);
  return fmt::format("run {}, workload {}, {}\n", of.run.id, of.run.workload_name,
                     to_iso8601(of.run.started_at));
}

std::string title_of(const loaded_run& of) {
  std::string build = fmt::format("essbench {}", of.run.essbench_version);
  if (!of.run.git_revision.empty()) build += fmt::format(", revision {}", of.run.git_revision);
  if (of.run.git_dirty) build += " with local changes";
  return fmt::format("{}{}\n", heading_of(of), build);
}

std::string legend_of(const loaded_run& run) {
  std::string text =
      "\nhow to read this\n"
      "  step time    median of one decode step of the whole batch, \u00b1 half of its 95 % interval (of the "
      "range where\n"
      "               there are fewer than 6 samples)\n"
      "  over all_gpu tokens/s, divided by those of the best all_gpu point in the same budget, \u00b1 half "
      "of\n"
      "               the 95 % interval of that ratio\n";
  if (has_uncapped_reference(run)) {
    text +=
        "  of uncapped  tokens/s, as a share of all_gpu without a memory budget (at the same batch, if that "
        "was run)\n";
  }
  if (any_point_has(run, "exposed_exchange_us_per_layer")) {
    text +=
        "  exchange     time a layer with experts in which ranks exchanged rows, or waited for each other, "
        "and "
        "computed nothing\n"
        "  busiest rank rows that its experts computed, over the mean of all ranks\n";
  }
  text +=
      "  hits         rows that attention asked for and the device held already; misses/top-k counts the "
      "others,\n"
      "               as a share of the top-k\n"
      "  MB in        moved from host to device in a step; MB are millions of bytes\n"
      "  exposed      time a layer in which the link moved rows and nothing was computed\n"
      "  link prop.   proportion of link to compute; gains are comparable between machines only where it "
      "agrees\n"
      "  -            not measured, or it does not apply\n";
  if (std::ranges::any_of(run.points, [](const loaded_point& p) { return link_is(p, false); })) {
    text += "\nboth tiers are one DRAM and the link is unpaced, so transfers cost what memcpy costs here\n";
  }
  return text;
}

std::string troubles_of(const loaded_run& run) {
  text_table table({{{"point"}, alignment::left}, {{"status"}, alignment::left}, {{"why"}, alignment::left}});
  bool any = false;
  for (const loaded_point& point : run.points) {
    if (point.last() == nullptr || point.last()->status == attempt_status::ok) continue;
    table.add({name_of(point), status_of(point), reason_of(point)});
    any = true;
  }
  return any ? "\nnot ok\n" + table.text(2) : "";
}

std::string operations_table(const loaded_point& point) {
  const auto operations = operations_of(point);
  if (operations.empty()) return "  no times by operation were stored\n";
  const metric_value* step = find_metric(point, "step_time_us");
  text_table table({{{"operation"}, alignment::left}, {{"us a step"}}, {{"% of step"}}});
  for (const auto& [kind, time] : operations) {
    const bool has_share = step != nullptr && step->median > 0;
    table.add({kind, fmt::format("{:.1f}", time),
               has_share ? fmt::format("{:.1f}", 100 * time / step->median) : "-"});
  }
  return table.text(2);
}

struct series_words {
  const char* name;
  const char* line;  // heading of its lines
  const char* what;
};

series_words words_of(series_kind kind) {
  if (kind == series_kind::misses_by_step)
    return {"misses_by_step", "step", "rows missed a request and layer, from the first step on"};
  return {"misses_by_layer", "layer", "rows missed a request and step, mean of all steps"};
}

}  // namespace

std::string show_series(const loaded_run& run, series_kind kind, std::size_t limit) {
  const series_words words = words_of(kind);
  std::vector<table_column> headings = {{{words.line}}};
  std::vector<const std::vector<double>*> columns;
  std::size_t lines = 0;
  for (const loaded_point& point : run.points) {
    if (point.last() == nullptr || !point.last()->series.contains(words.name)) continue;
    columns.push_back(&point.last()->series.at(words.name));
    headings.push_back({{name_of(point)}});
    lines = std::max(lines, std::min(limit, columns.back()->size()));
  }
  text_table table(std::move(headings));
  for (std::size_t line = 0; line < lines; ++line) {
    std::vector<std::string> cells = {std::to_string(kind == series_kind::misses_by_step ? line + 1 : line)};
    for (const auto* column : columns) {
      cells.push_back(line < column->size() ? fmt::format("{:.1f}", (*column)[line]) : "-");
    }
    table.add(std::move(cells));
  }
  if (columns.empty()) return title_of(run) + fmt::format("no point of this run counted {}\n", words.what);
  return title_of(run) + words.what + "\n\n" + table.text();
}

std::string show_run(const loaded_run& run) {
  if (is_of_benchmarks(run)) return show_benchmarks(run);
  return title_of(run) + clocks_of(run) + "\n" + table_of(run) + legend_of(run) + troubles_of(run);
}

std::string show_operations(const loaded_run& run) {
  std::string text = title_of(run) + clocks_of(run);
  for (const loaded_point& point : run.points) {
    if (point.last() == nullptr || !is_measured(point.last()->status)) continue;
    text += fmt::format("\n{}, step {} ms\n{}", printable(name_of(point)), step_cell({run, point}),
                        operations_table(point));
  }
  return text +
         "\nOperations of different streams run at the same time: shares may add up to more than 100 %.\n";
}

}  // namespace results
