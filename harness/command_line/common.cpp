#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <set>
#include <stdexcept>

#include "harness/command_line/command.h"
#include "workloads/catalog.h"
#include "workloads/requests.h"

namespace harness {
namespace {

std::string typed;

[[noreturn]] void refuse(const workloads::spec_error& error) {
  // An option was wrong, or else a file.
  refuse(error.file.starts_with("--") ? exit_code::usage : exit_code::bad_data, to_string(error));
}

// A log that cannot be read is found now, not after other points have run for an hour.
void check_request_logs(const workloads::workload& workload) {
  std::set<std::string> checked;
  for (const workloads::point& point : workload.points) {
    const workloads::settings& s = point.requested;
    if (s.kind != workloads::workload_kind::serve || !checked.insert(s.requests.trace).second) continue;
    if (const auto log = workloads::make_requests(s, workload.file); !log) refuse(log.error());
  }
}

}  // namespace

std::string shell_word(const std::string& word) {
  if (!word.empty() && word.find_first_of(" \t\n\"'$`\\*?[]{}()<>|&;#~") == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void remember_command_line(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) typed += (i > 0 ? " " : "") + shell_word(argv[i]);
}

const std::string& command_line() { return typed; }

void refuse(exit_code code, const std::string& what) {
  tell("essbench: " + what);
  throw refused{code};
}

void tell(const std::string& text) { fmt::print(stderr, "{}\n", text); }

void print(const std::string& data) {
  if (std::fwrite(data.data(), 1, data.size(), stdout) != data.size() || std::fflush(stdout) != 0) {
    throw std::runtime_error("cannot write to stdout");
  }
}

void write_file(const char* option, const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path part = file.string() + ".part";
  std::ofstream out(part, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  std::error_code fault;
  if (out) std::filesystem::rename(part, file, fault);
  if (out && !fault) return;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  refuse(exit_code::bad_data, fmt::format("{} {}: cannot be written; is there such a folder, and room in it?",
                                          option, file.string()));
}

void add_workload_arguments(CLI::App& command, workload_arguments& into) {
  command.add_option("workload", into.workload, "A shipped workload's name (see essbench list), or a file")
      ->required();
  command.add_option("--set", into.set, "Set any field: --set batch=4 --set link.paced=false")
      ->expected(1)
      ->take_all()
      ->type_name("PATH=VALUE");
  command.add_option("--system", into.systems, "Only points of this system; may be repeated")
      ->expected(1)
      ->take_all()
      ->type_name("SYSTEM");
}

void add_device_option(CLI::App& command, std::string& into) {
  command
      .add_option("--device", into,
                  "What executes the steps: cpu; cuda, a GPU; cuda_emulated, the same source on the CPU; or "
                  "sim:PROFILE, a simulation of a cluster such as sim:h200_ep32")
      ->capture_default_str();
}

target load_target(const std::string& device) {
  auto on = target::parse(device);
  if (!on) refuse(on.error());
  return *std::move(on);
}

workloads::workload load(const workload_arguments& arguments) {
  workloads::spec_options options{.set = arguments.set};
  for (const std::string& name : arguments.systems) {
    const auto system = workloads::parse_system(name);
    if (!system) {
      refuse({.path = name,
              .what = "is not a system",
              .hint = fmt::format("one of: {}", fmt::join(workloads::system_names(), ", ")),
              .file = "--system"});
    }
    options.systems.push_back(*system);
  }
  const auto file = workloads::find_workload(arguments.workload);
  if (!file) refuse(file.error());
  auto workload = workloads::load_workload(*file, options);
  if (!workload) refuse(workload.error());
  check_request_logs(*workload);
  return *std::move(workload);
}

}  // namespace harness
