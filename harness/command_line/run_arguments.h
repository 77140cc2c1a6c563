// What `essbench run` is told; a stored command line is read by the same rules.
#pragma once

#include <optional>
#include <string>

#include "harness/command_line/command.h"

namespace harness {

struct run_arguments {
  workload_arguments workload;
  std::string device = "cpu";
  std::string database = default_database;
  bool resume = false;
  bool json = false;
  bool quiet = false;
  double rank_patience_s = 60;
  std::string shard;  // empty: all points
  std::string sweep;  // that the shards are of
};
void add_run_arguments(CLI::App& command, run_arguments& into);

// Of a command line as the store keeps it. Nothing if it is none of `run`.
[[nodiscard]] std::optional<run_arguments> read_run_arguments(const std::string& typed);

}  // namespace harness
