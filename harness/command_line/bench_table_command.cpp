#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "results/bench_table.h"

namespace harness {
namespace {

struct bench_table_arguments {
  std::string targets;
  std::vector<std::string> results;
  bool json = false;
  bool markdown = false;
};

std::string text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in) throw results::bench_error(file + ": cannot be read");
  return text;
}

exit_code bench_table(const bench_table_arguments& arguments) try {
  const auto targets = results::read_bench_targets(text_of(arguments.targets), arguments.targets);
  results::bench_results measured;
  for (const std::string& file : arguments.results) measured.add(text_of(file), file);
  const auto rows = results::judge(targets, measured);
  if (arguments.json) {
    print(results::bench_table_json(rows, measured).dump(2) + "\n");
  } else if (arguments.markdown) {
    print(results::bench_table_markdown(rows, measured));
  } else {
    print(results::bench_table_text(rows, measured));
  }
  return exit_code::ok;
} catch (const results::bench_error& e) {
  tell(fmt::format("essbench: {}", e.what()));
  return exit_code::bad_data;
}

}  // namespace

void add_bench_table(CLI::App& app, action& chosen) {
  CLI::App* command =
      app.add_subcommand("bench-table", "Micro-benchmarks against what they should reach (see ci/bench)");
  auto arguments = std::make_shared<bench_table_arguments>();
  command->add_option("TARGETS", arguments->targets, "JSON file: what to compare, and the bounds")
      ->required();
  command->add_option("RESULTS", arguments->results, "JSON files of Google Benchmark")->required();
  auto* json = command->add_flag("--json", arguments->json, "As JSON");
  command->add_flag("--markdown", arguments->markdown, "As a Markdown table")->excludes(json);
  command->callback([&chosen, arguments] { chosen = [arguments] { return bench_table(*arguments); }; });
}

}  // namespace harness
