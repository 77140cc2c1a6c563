#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/npy.h"
#include "ess_core/locality/optimal.h"
#include "ess_core/locality/step_overlap.h"
#include "harness/command_line/command.h"
#include "workloads/trace_manifest.h"

namespace harness {
namespace {

using nlohmann::ordered_json;

struct trace_arguments {
  std::string file;
  std::string out;
  std::optional<ess::token_id> first_token;
  std::vector<double> ratios = {0.1, 0.2, 0.3, 0.4, 0.9};
  ess::replay_options replay;
  bool json = false;
};

template <typename T>
T taken(ess::trace_result<T> result, const std::string& file) {
  if (result) return *std::move(result);
  const ess::trace_error& error = result.error();
  tell(fmt::format("essbench: {}: {}{}{}", file, error.what, error.hint.empty() ? "" : "; ", error.hint));
  throw refused{exit_code::bad_data};
}

void done(const ess::trace_result<void>& result, const std::string& file) {
  taken(result.map([] { return true; }), file);
}

ordered_json as_json(const std::string& file, const ess::trace_header& header, const std::string& source) {
  return {{"file", file},
          {"version", ess::trace_version},
          {"steps", header.shape.steps},
          {"layers", header.shape.layers},
          {"top_k", header.shape.top_k},
          {"first_token", header.shape.first_token},
          {"sha256", header.sha256},
          {"source", source}};
}

void print_header(const trace_arguments& arguments, const ess::trace_header& header,
                  const std::string& source) {
  const ordered_json all = as_json(arguments.file, header, source);
  if (arguments.json) return print(all.dump(2) + "\n");
  for (const auto& [key, value] : all.items()) {
    print(fmt::format("{:<12}{}\n", key, value.is_string() ? value.get<std::string>() : value.dump()));
  }
}

std::string source_of(const std::string& file, const ess::trace_header& header) {
  const auto manifest = taken(workloads::read_manifest(file, header), file);
  return manifest ? manifest->source : "";
}

exit_code info(const trace_arguments& arguments) {
  const auto header = taken(ess::read_trace_header(arguments.file), arguments.file);
  print_header(arguments, header, source_of(arguments.file, header));
  return exit_code::ok;
}

exit_code validate(const trace_arguments& arguments) {
  const auto stored = taken(ess::read_trace(arguments.file), arguments.file);
  const ess::trace_header header{stored.trace.shape, stored.sha256};
  const std::string source = source_of(arguments.file, header);
  if (arguments.json) {
    print_header(arguments, header, source);
  } else {
    print(fmt::format("{}: valid, {} ids\n", arguments.file, stored.trace.ids.size()));
  }
  return exit_code::ok;
}

exit_code import_npy(const trace_arguments& arguments) {
  const auto trace = taken(ess::read_npy(arguments.file, arguments.first_token), arguments.file);
  const ess::trace_header header{trace.shape, taken(ess::write_trace(trace, arguments.out), arguments.out)};
  const std::string source = fmt::format("imported from {}, first token {}", arguments.file,
                                         arguments.first_token ? "as given" : "derived from the largest id");
  done(workloads::write_manifest(arguments.out, {header, source}), arguments.out);
  trace_arguments written = arguments;
  written.file = arguments.out;
  print_header(written, header, source);
  return exit_code::ok;
}

// Misses per decode step; nothing where a step's rows exceed the pool.
struct curve_point {
  std::int64_t pool_rows = 0;
  std::optional<double> lru;
  std::optional<double> optimal;
};

struct layer_curve {
  double step_overlap = 0.0;
  double asked = 0.0;  // rows per decode step
  std::vector<curve_point> points;
};

layer_curve curve_of(const ess::index_trace& trace, std::int32_t layer, const trace_arguments& arguments) {
  const ess::miss_curve curve = ess::lru_miss_curve(trace, layer, arguments.replay);
  const auto per_step = [&](std::int64_t sum) { return static_cast<double>(sum) / curve.steps; };
  const std::int32_t from = arguments.replay.skip_steps * arguments.replay.query_tokens;
  layer_curve out{ess::mean_step_overlap(trace, layer, from), per_step(curve.asked), {}};
  for (const double ratio : arguments.ratios) {
    const auto tokens = static_cast<double>(trace.shape.final_tokens());
    curve_point& point = out.points.emplace_back(static_cast<std::int64_t>(std::ceil(ratio * tokens)));
    if (point.pool_rows < curve.smallest_pool) continue;
    point.lru = per_step(curve.misses(point.pool_rows));
    point.optimal = per_step(ess::optimal_misses(trace, layer, point.pool_rows, arguments.replay));
  }
  return out;
}

std::optional<double> mean(const std::vector<layer_curve>& layers, std::size_t ratio,
                           std::optional<double> curve_point::*what) {
  double sum = 0.0;
  for (const layer_curve& layer : layers) {
    if (!(layer.points[ratio].*what)) return std::nullopt;
    sum += *(layer.points[ratio].*what);
  }
  return sum / static_cast<double>(layers.size());
}

layer_curve mean_of(const std::vector<layer_curve>& layers) {
  layer_curve out;
  for (const layer_curve& layer : layers) {
    out.step_overlap += layer.step_overlap / static_cast<double>(layers.size());
    out.asked += layer.asked / static_cast<double>(layers.size());
  }
  for (std::size_t i = 0; i < layers[0].points.size(); ++i) {
    out.points.push_back({layers[0].points[i].pool_rows, mean(layers, i, &curve_point::lru),
                          mean(layers, i, &curve_point::optimal)});
  }
  return out;
}

ordered_json as_json(const layer_curve& curve, const std::vector<double>& ratios) {
  const auto or_null = [](std::optional<double> value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
  };
  ordered_json out = {
      {"step_overlap", curve.step_overlap}, {"asked", curve.asked}, {"misses", ordered_json::array()}};
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    const curve_point& point = curve.points[i];
    out["misses"].push_back({{"sparse_ratio", ratios[i]},
                             {"pool_rows", point.pool_rows},
                             {"lru", or_null(point.lru)},
                             {"optimal", or_null(point.optimal)}});
  }
  return out;
}

std::string as_row(const std::string& name, const layer_curve& curve) {
  const auto or_dash = [](std::optional<double> value) {
    return value ? fmt::format("{:.1f}", *value) : "-";
  };
  std::string row = fmt::format("{:<6}{:>8.3f}{:>9.1f}", name, curve.step_overlap, curve.asked);
  for (const curve_point& point : curve.points) {
    row += fmt::format("{:>18}", or_dash(point.lru) + " / " + or_dash(point.optimal));
  }
  return row + "\n";
}

void print_curves(const std::vector<layer_curve>& layers, const trace_arguments& arguments) {
  if (arguments.json) {
    ordered_json out = {{"query_tokens", arguments.replay.query_tokens},
                        {"skip_steps", arguments.replay.skip_steps},
                        {"layers", ordered_json::array()},
                        {"mean", as_json(mean_of(layers), arguments.ratios)}};
    for (const layer_curve& layer : layers) out["layers"].push_back(as_json(layer, arguments.ratios));
    return print(out.dump(2) + "\n");
  }
  std::string head = fmt::format("{:<6}{:>8}{:>9}", "layer", "overlap", "asked");
  for (const double ratio : arguments.ratios) head += fmt::format("{:>18}", fmt::format("ratio {}", ratio));
  print(head + "\n");
  for (std::size_t i = 0; i < layers.size(); ++i) print(as_row(std::to_string(i), layers[i]));
  print(as_row("mean", mean_of(layers)));
  tell("Misses per decode step, LRU / optimal; the pool starts empty. -: a step's rows exceed the pool.");
}

exit_code curve(const trace_arguments& arguments) {
  const auto stored = taken(ess::read_trace(arguments.file), arguments.file);
  const std::int32_t steps = stored.trace.shape.steps / arguments.replay.query_tokens;
  if (arguments.replay.skip_steps >= steps) {
    tell(fmt::format("essbench: --skip {}: the trace has {} decode steps", arguments.replay.skip_steps,
                     steps));
    return exit_code::usage;
  }
  std::vector<layer_curve> layers;
  for (std::int32_t layer = 0; layer < stored.trace.shape.layers; ++layer) {
    layers.push_back(curve_of(stored.trace, layer, arguments));
  }
  print_curves(layers, arguments);
  return exit_code::ok;
}

using subcommand = exit_code (*)(const trace_arguments&);

CLI::App* add(CLI::App& trace, action& chosen, const std::shared_ptr<trace_arguments>& arguments,
              const char* name, const char* help, subcommand run) {
  CLI::App* command = trace.add_subcommand(name, help);
  command->add_option("FILE", arguments->file, "The file to read")->required();
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments, run] { chosen = [arguments, run] { return run(*arguments); }; });
  return command;
}

}  // namespace

void add_trace(CLI::App& app, action& chosen) {
  CLI::App* trace =
      app.add_subcommand("trace", "Index streams: which rows each layer selected, step by step");
  trace->require_subcommand(1);
  const auto arguments = std::make_shared<trace_arguments>();
  add(*trace, chosen, arguments, "info", "What a trace file holds, by its header and manifest", info);
  add(*trace, chosen, arguments, "validate", "Checks size, checksum, manifest and every id", validate);
  CLI::App* import = add(*trace, chosen, arguments, "import",
                         "A trace file from an int32 .npy array [steps, layers, top-k]", import_npy);
  import->add_option("--out", arguments->out, "The trace file to write")->required();
  import->add_option("--first-token", arguments->first_token,
                     "Position of the first query token; derived from the ids if left out");
  CLI::App* curves = add(*trace, chosen, arguments, "curve",
                         "Misses per decode step by pool size, for each layer, LRU and optimal", curve);
  curves->add_option("--ratio", arguments->ratios, "Pool size as a share of the final context")
      ->check(CLI::Range(1e-6, 1.0));
  curves->add_option("--mtp", arguments->replay.query_tokens, "Query tokens of a decode step")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  curves
      ->add_option("--skip", arguments->replay.skip_steps,
                   "Decode steps run before counting, to warm the pool")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

}  // namespace harness
