#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/environment/checks.h"
#include "harness/execution/run.h"

namespace harness {
namespace {

struct doctor_arguments {
  bool json = false;
};

exit_code doctor(const doctor_arguments& arguments) {
  const results::environment env = describe_machine();
  const auto& gemm = env.at("gemm");
  const auto checks =
      run_checks(gather_facts(env, std::filesystem::temp_directory_path(),
                              gemm_rate{.kernel = gemm.at("kernel").get<std::string>(),
                                        .gflops = gemm.at("gflops_one_thread").get<double>(),
                                        .fma_gflops = gemm.at("fma_gflops_one_thread").get<double>()}));
  if (arguments.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const check& c : checks) {
      rows.push_back({{"name", c.name}, {"status", to_string(c.status)}, {"text", c.text}, {"hint", c.hint}});
    }
    print(nlohmann::ordered_json{{"checks", rows}, {"environment", env}}.dump(
              2, ' ', false, nlohmann::json::error_handler_t::replace) +
          "\n");
  } else {
    for (const check& c : checks) {
      print(fmt::format("{:<5} {:<10} {}{}\n", to_string(c.status), c.name, c.text,
                        c.hint.empty() ? "" : " -> " + c.hint));
    }
  }
  return worst(checks) == check_status::fail ? exit_code::points_failed : exit_code::ok;
}

}  // namespace

void add_doctor(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("doctor", "Whether this machine can give times worth keeping");
  auto arguments = std::make_shared<doctor_arguments>();
  command->add_flag("--json", arguments->json, "As JSON, with the whole environment");
  command->callback([&chosen, arguments] { chosen = [arguments] { return doctor(*arguments); }; });
}

}  // namespace harness
