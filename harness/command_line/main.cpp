#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>

#include "harness/command_line/command.h"
#include "results/store_error.h"

namespace {

using harness::exit_code;

exit_code run(int argc, char** argv) {
  CLI::App app{
      "essbench: a benchmark of systems that keep the KV cache of sparse-attention models outside the GPU"};
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok, 1 regression, 2 ambiguous (gate --strict), 3 incorrect, 4 incomparable,\n"
      "5 points failed, 64 usage, 65 bad data or database, 70 internal, 130 interrupted (resumable).");
  harness::action chosen;
  harness::add_list(app, chosen);
  harness::add_validate(app, chosen);
  harness::add_plan(app, chosen);
  harness::add_run(app, chosen);
  harness::add_plan_capacity(app, chosen);
  harness::add_show(app, chosen);
  harness::add_compare(app, chosen);
  harness::add_gate(app, chosen);
  harness::add_noise(app, chosen);
  harness::add_export(app, chosen);
  harness::add_import(app, chosen);
  harness::add_report(app, chosen);
  harness::add_doctor(app, chosen);
  harness::add_timeline(app, chosen);
  harness::add_trace(app, chosen);
  harness::add_validate_sim(app, chosen);
  harness::add_bench_table(app, chosen);
  harness::add_calibrate(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? exit_code::ok : exit_code::usage;
  }
  return chosen();
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond a limit is an error like that of a full disk, not a death
  try {
    harness::remember_command_line(argc, argv);
    return static_cast<int>(run(argc, argv));
  } catch (const harness::refused& told) {
    return static_cast<int>(told.code);
  } catch (const results::store_error& e) {
    harness::tell(fmt::format("essbench: {}", e.what()));
    return static_cast<int>(exit_code::bad_data);
  } catch (const std::exception& e) {
    harness::tell(fmt::format("essbench: internal error: {}", e.what()));
    return static_cast<int>(exit_code::internal);
  }
}
