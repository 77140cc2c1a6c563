// What the subcommands of `essbench trace` share. A part of trace_command; not for use outside.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

#include "ess_core/locality/replay.h"
#include "harness/command_line/command.h"
#include "workloads/trace_manifest.h"

namespace harness {

void add_trace_info(CLI::App& trace, action& chosen);
void add_trace_validate(CLI::App& trace, action& chosen);
void add_trace_import(CLI::App& trace, action& chosen);
void add_trace_record(CLI::App& trace, action& chosen);
void add_trace_synth(CLI::App& trace, action& chosen);
void add_trace_curve(CLI::App& trace, action& chosen);

template <typename T>
T taken(ess::trace_result<T> result, const std::string& file) {
  if (result) return *std::move(result);
  const ess::trace_error& error = result.error();
  refuse(exit_code::bad_data,
         fmt::format("{}: {}{}{}", file, error.what, error.hint.empty() ? "" : "; ", error.hint));
}

// An option was wrong, or else a file.
template <typename T>
T taken(workloads::result<T> result) {
  if (result) return *std::move(result);
  refuse(result.error().file.starts_with("--") ? exit_code::usage : exit_code::bad_data,
         to_string(result.error()));
}

struct loaded_trace {
  ess::index_trace trace;
  std::optional<workloads::trace_manifest> manifest;

  // Decode steps before those that count, unless the user says otherwise: those with steps of the lead-in.
  [[nodiscard]] std::int32_t lead_in(std::int32_t query_tokens) const;
};
[[nodiscard]] loaded_trace load_trace(const std::string& file);

// As JSON, or one line a value.
void print_trace(const std::string& file, const workloads::trace_manifest& manifest, bool json);
void write_trace_and_manifest(const std::string& file, const ess::index_trace& trace,
                              workloads::trace_manifest& manifest);

}  // namespace harness
