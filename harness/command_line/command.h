// The subcommands of `essbench`. Each registers itself with CLI11 and says what to do if it is chosen. Text
// for people goes to stderr, data to stdout.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/planning/target.h"
#include "workloads/spec.h"

namespace CLI {
class App;
}

namespace harness {

// What scripts rely on.
enum class exit_code : int {
  ok = 0,
  regression = 1,
  ambiguous = 2,
  incorrect = 3,
  incomparable = 4,
  points_failed = 5,
  usage = 64,
  bad_data = 65,
  internal = 70,
  interrupted = 130,
};

// Set by the subcommand that the command line chose.
using action = std::function<exit_code()>;

void add_run(CLI::App& app, action& chosen);
void add_import(CLI::App& app, action& chosen);
void add_list(CLI::App& app, action& chosen);
void add_validate(CLI::App& app, action& chosen);
void add_plan(CLI::App& app, action& chosen);
void add_plan_capacity(CLI::App& app, action& chosen);
void add_show(CLI::App& app, action& chosen);
void add_compare(CLI::App& app, action& chosen);
void add_gate(CLI::App& app, action& chosen);
void add_noise(CLI::App& app, action& chosen);
void add_export(CLI::App& app, action& chosen);
void add_doctor(CLI::App& app, action& chosen);
void add_timeline(CLI::App& app, action& chosen);
void add_trace(CLI::App& app, action& chosen);
void add_validate_sim(CLI::App& app, action& chosen);
void add_bench_table(CLI::App& app, action& chosen);
void add_calibrate(CLI::App& app, action& chosen);
void add_report(CLI::App& app, action& chosen);

// The command line as it was typed, for the record and for hints.
void remember_command_line(int argc, char** argv);
[[nodiscard]] const std::string& command_line();
// Quoted for a shell where it needs to be.
[[nodiscard]] std::string shell_word(const std::string& word);

// Where results go if --db does not say.
inline constexpr const char* default_database = "essbench.db";

// A workload by name or path, with --set and --system applied. What is wrong with it has been told when it is
// thrown.
struct workload_arguments {
  std::string workload;
  std::vector<std::string> set;
  std::vector<std::string> systems;
};
void add_workload_arguments(CLI::App& command, workload_arguments& into);
struct refused {
  exit_code code;
};
[[noreturn]] void refuse(exit_code code, const std::string& what);
[[nodiscard]] workloads::workload load(const workload_arguments& arguments);
// --device, and what it names; refused likewise.
void add_device_option(CLI::App& command, std::string& into);
[[nodiscard]] target load_target(const std::string& device);

// One line of text for people.
void tell(const std::string& text);
// Data. Throws if it cannot be written.
void print(const std::string& data);
// Whole or not at all: a file that is there already stays until the new one is written. `option` named it;
// refused if it cannot be written.
void write_file(const char* option, const std::filesystem::path& file, const std::string& text);

}  // namespace harness
