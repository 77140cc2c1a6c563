#include <CLI/CLI.hpp>

#include "harness/command_line/trace_commands.h"

namespace harness {

void add_trace(CLI::App& app, action& chosen) {
  CLI::App* trace =
      app.add_subcommand("trace", "Index streams: which rows each layer selected, step by step");
  trace->require_subcommand(1);
  add_trace_info(*trace, chosen);
  add_trace_validate(*trace, chosen);
  add_trace_import(*trace, chosen);
  add_trace_record(*trace, chosen);
  add_trace_synth(*trace, chosen);
  add_trace_curve(*trace, chosen);
}

}  // namespace harness
