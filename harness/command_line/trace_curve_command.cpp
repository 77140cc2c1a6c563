// essbench trace curve
#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "ess_core/cache/sparse_pool.h"
#include "ess_core/locality/optimal.h"
#include "ess_core/locality/pool_replay.h"
#include "ess_core/locality/step_overlap.h"
#include "harness/command_line/trace_curve.h"

namespace harness {
namespace {

constexpr const char* optimum = "optimal";

void check_policies(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto policy = ess::parse_pool_kind(name);
    if (name == optimum || (policy && ess::can_replay(*policy))) continue;
    refuse(exit_code::usage,
           policy == ess::pool_kind::score_aware
               ? "--policy score_aware: needs the indexer's scores of every step, which a trace does not hold"
               : fmt::format("--policy {}: must be one of lru, fifo, random, clock, sieve, optimal", name));
  }
}

std::vector<pool_size> sizes_of(const curve_arguments& arguments, const ess::trace_shape& shape) {
  std::vector<pool_size> out;
  for (const double ratio : arguments.ratios) {
    out.push_back({fmt::format("ratio {}", ratio), ratio, rows_of(ratio, shape)});
  }
  for (const std::int64_t rows : arguments.rows)
    out.push_back({fmt::format("{} rows", rows), std::nullopt, rows});
  return out;
}

class layer_measurement {
 public:
  layer_measurement(const ess::index_trace& trace, std::int32_t layer, const ess::replay_options& replay)
      : trace_(trace), layer_(layer), replay_(replay), curve_(ess::lru_miss_curve(trace, layer, replay)) {}

  [[nodiscard]] layer_curve measure(const std::vector<pool_size>& sizes,
                                    const std::vector<std::string>& policies) const {
    layer_curve out{
        .step_overlap = ess::mean_step_overlap(trace_, layer_, replay_.skip_steps * replay_.query_tokens),
        .asked = static_cast<double>(curve_.asked) / curve_.steps};
    for (const pool_size& size : sizes) {
      auto& row = out.misses.emplace_back();
      for (const std::string& policy : policies) row.push_back(per_step(misses(policy, size.rows)));
    }
    return out;
  }

 private:
  [[nodiscard]] std::optional<std::int64_t> misses(const std::string& policy, std::int64_t rows) const {
    if (policy == optimum) {
      if (rows < curve_.smallest_pool) return std::nullopt;
      return ess::optimal_misses(trace_, layer_, rows, replay_);
    }
    const ess::pool_kind kind = ess::parse_pool_kind(policy).value();
    if (kind == ess::pool_kind::lru) return ess::lru_misses(curve_, trace_, layer_, rows, replay_);
    if (rows > ess::max_pool_slots) return std::nullopt;
    return ess::replay_misses(trace_, layer_, kind, rows, replay_);
  }
  [[nodiscard]] std::optional<double> per_step(std::optional<std::int64_t> sum) const {
    if (!sum) return std::nullopt;
    return static_cast<double>(*sum) / curve_.steps;
  }

  const ess::index_trace& trace_;
  std::int32_t layer_;
  ess::replay_options replay_;
  ess::miss_curve curve_;
};

exit_code curve(const curve_arguments& arguments) {
  check_policies(arguments.policies);
  const loaded_trace loaded = load_trace(arguments.file);
  if (!arguments.published.empty()) return compare_with_published(loaded, arguments);
  if (arguments.split_ratio) return split_rows(loaded, arguments);
  const ess::replay_options replay = replay_of(loaded, arguments);
  const std::vector<pool_size> sizes = sizes_of(arguments, loaded.trace.shape);
  std::vector<layer_curve> layers;
  for (std::int32_t layer = 0; layer < loaded.trace.shape.layers; ++layer) {
    layers.push_back(layer_measurement(loaded.trace, layer, replay).measure(sizes, arguments.policies));
  }
  print_curves(layers, sizes, replay, arguments);
  return exit_code::ok;
}

void add_pools(CLI::App& command, curve_arguments& into) {
  auto* ratios = command.add_option("--ratio", into.ratios, "Pool sizes as shares of the final context")
                     ->check(CLI::Range(1e-6, 1.0));
  auto* rows = command.add_option("--rows", into.rows, "Pool sizes in rows")->check(CLI::Range(1, 1 << 30));
  auto* policies = command
                       .add_option("--policy", into.policies,
                                   "lru, fifo, random, clock, sieve, optimal; several with commas")
                       ->delimiter(',');
  command.parse_complete_callback([&into, ratios, rows] {
    if (rows->count() > 0 && ratios->count() == 0) into.ratios.clear();
  });
  auto* published = command.add_option(
      "--published", into.published,
      "Instead: beside the published figures of a locality model, with a verdict; exit 5 if they differ");
  auto* split = command
                    .add_option("--split", into.split_ratio,
                                "Instead: rows by layer that miss least, as many in all as at this ratio")
                    ->check(CLI::Range(1e-6, 1.0));
  for (auto* instead : {published, split}) instead->excludes(ratios)->excludes(rows)->excludes(policies);
  split->excludes(published);
}

void add_output(CLI::App& command, curve_arguments& into) {
  auto* json = command.add_flag("--json", into.json, "As JSON");
  auto* csv = command.add_flag("--csv", into.csv, "As CSV, one line a layer, pool and policy, or figure");
  csv->excludes(json)->excludes(command.get_option("--split"));
}

void add_steps(CLI::App& command, curve_arguments& into) {
  command
      .add_option("--mtp", into.query_tokens,
                  "Query tokens of a decode step; default: 1, or that of the published figures")
      ->check(CLI::Range(1, ess::max_query_tokens));
  command
      .add_option(
          "--skip", into.skip_steps,
          "Decode steps run before counting, to warm the pool; default: the lead-in of a synthetic trace")
      ->check(CLI::NonNegativeNumber);
}

}  // namespace

std::int64_t rows_of(double sparse_ratio, const ess::trace_shape& shape) {
  return static_cast<std::int64_t>(std::ceil(sparse_ratio * static_cast<double>(shape.final_tokens())));
}

ess::replay_options replay_of(const loaded_trace& loaded, const curve_arguments& arguments,
                              std::int32_t usual_query_tokens) {
  const std::int32_t query_tokens = arguments.query_tokens.value_or(usual_query_tokens);
  const std::int32_t steps = loaded.trace.shape.steps / query_tokens;
  const std::int32_t skip = arguments.skip_steps.value_or(loaded.lead_in(query_tokens));
  if (skip >= steps)
    refuse(exit_code::usage, fmt::format("--skip {}: the trace has {} decode steps", skip, steps));
  return {.query_tokens = query_tokens, .skip_steps = skip};
}

void add_trace_curve(CLI::App& trace, action& chosen) {
  CLI::App* command =
      trace.add_subcommand("curve", "Misses per decode step by pool size, for each layer and policy");
  const auto arguments = std::make_shared<curve_arguments>();
  command->add_option("FILE", arguments->file, "The file to read")->required();
  add_pools(*command, *arguments);
  add_steps(*command, *arguments);
  add_output(*command, *arguments);
  command->callback([&chosen, arguments] { chosen = [arguments] { return curve(*arguments); }; });
}

}  // namespace harness
