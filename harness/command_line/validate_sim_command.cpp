#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/validation/validation.h"

namespace harness {
namespace {

struct validate_arguments {
  bool sensitivity = false;
  double factor = 1.2;
  std::string profile = "h200_ep32";
  bool json = false;
};

std::string title_of(const validation_case& of) {
  return fmt::format("{} on {}{}{}", of.workload, of.device, of.set.empty() ? "" : ", with ", of.set);
}

nlohmann::ordered_json as_json(const published_beside& row) {
  nlohmann::ordered_json out = {{"point", row.point},
                                {"metric", row.published.metric},
                                {"published", row.published.value},
                                {"source", row.published.source},
                                {"calibrates", row.published.calibrates}};
  if (row.ours) out["ours"] = *row.ours;
  if (row.error()) out["error"] = *row.error();
  return out;
}

exit_code compare(const validate_arguments& arguments) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::string text;
  for (const validation_case& one : validation_cases()) {
    tell(fmt::format("simulating {}", title_of(one)));
    const auto rows = validate(one);
    nlohmann::ordered_json& of_case = all.emplace_back(
        nlohmann::ordered_json{{"workload", one.workload}, {"device", one.device}, {"set", one.set}});
    for (const published_beside& row : rows) of_case["values"].push_back(as_json(row));
    text += fmt::format("{}: root mean square of the differences {:.1f} %\n{}\n", title_of(one),
                        100 * rms_error(rows).value_or(0), published_table(rows));
  }
  print(arguments.json ? all.dump(2) + "\n" : text);
  return exit_code::ok;
}

std::string change(double ratio) { return fmt::format("{:+.2f} %", 100 * (ratio - 1)); }

exit_code show_sensitivity(const validate_arguments& arguments) {
  const target on = load_target("sim:" + arguments.profile);
  const auto rows = sensitivities(on.profile(), arguments.factor,
                                  [](std::string_view name) { tell(fmt::format("changing {}", name)); });
  if (arguments.json) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const sensitivity& row : rows)
      out.push_back({{"input", row.input},
                     {"level", row.level},
                     {"factor", arguments.factor},
                     {"all_gpu_32k", row.ratio.all_gpu_32k},
                     {"gain_32k", row.ratio.gain_32k},
                     {"gain_128k", row.ratio.gain_128k}});
    print(out.dump(2) + "\n");
    return exit_code::ok;
  }
  using results::alignment;
  results::text_table table({{{"input"}, alignment::left},
                             {{"level"}, alignment::left},
                             {{"all_gpu", "32K"}},
                             {{"gain", "32K"}},
                             {{"gain", "128K"}}});
  for (const sensitivity& row : rows)
    table.add({row.input, row.level, change(row.ratio.all_gpu_32k), change(row.ratio.gain_32k),
               change(row.ratio.gain_128k)});
  print(fmt::format("{}: what an input {} times as large changes, times of tables likewise\n{}",
                    arguments.profile, arguments.factor, table.text()));
  return exit_code::ok;
}

}  // namespace

void add_validate_sim(CLI::App& app, action& chosen) {
  CLI::App* command =
      app.add_subcommand("validate-sim", "The simulator beside what others published or measured");
  auto arguments = std::make_shared<validate_arguments>();
  command->add_flag("--sensitivity", arguments->sensitivity, "What each figure of a profile moves, instead");
  command->add_option("--factor", arguments->factor, "By which it is multiplied")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--profile", arguments->profile, "Whose figures")->capture_default_str();
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments] {
    chosen = [arguments] {
      return arguments->sensitivity ? show_sensitivity(*arguments) : compare(*arguments);
    };
  });
}

}  // namespace harness
