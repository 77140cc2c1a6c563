// Miss curves of a trace as `essbench trace curve` prints them. A part of trace_command; not for use outside.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ess_core/locality/miss_curve.h"
#include "harness/command_line/trace_commands.h"

namespace harness {

enum class curve_form { table, csv, json };

struct curve_arguments {
  std::string file;
  std::vector<double> ratios = {0.1, 0.2, 0.3, 0.4, 0.9};
  std::vector<std::int64_t> rows;
  std::vector<std::string> policies = {"lru", "optimal"};
  std::optional<std::int32_t> query_tokens;
  std::optional<std::int32_t> skip_steps;
  std::string published;
  std::optional<double> split_ratio;
  bool csv = false;
  bool json = false;

  [[nodiscard]] curve_form form() const {
    return json ? curve_form::json : csv ? curve_form::csv : curve_form::table;
  }
};

struct pool_size {
  std::string name;  // "ratio 0.2" or "4096 rows"
  std::optional<double> sparse_ratio;
  std::int64_t rows = 0;
};

struct layer_curve {
  double step_overlap = 0.0;
  double asked = 0.0;  // rows per decode step
  // [pool sizes][policies] misses per decode step; nothing where the policy says nothing of such a pool
  std::vector<std::vector<std::optional<double>>> misses;
};

[[nodiscard]] std::int64_t rows_of(double sparse_ratio, const ess::trace_shape& shape);

void print_curves(const std::vector<layer_curve>& layers, const std::vector<pool_size>& sizes,
                  const ess::replay_options& replay, const curve_arguments& arguments);

// --published and --split
exit_code compare_with_published(const loaded_trace& loaded, const curve_arguments& arguments);
exit_code split_rows(const loaded_trace& loaded, const curve_arguments& arguments);

// Refuses to skip all there is. `usual_query_tokens`: where --mtp does not say.
[[nodiscard]] ess::replay_options replay_of(const loaded_trace& loaded, const curve_arguments& arguments,
                                            std::int32_t usual_query_tokens = 1);

}  // namespace harness
