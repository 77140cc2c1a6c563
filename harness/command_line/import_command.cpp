#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/environment/build_info.h"
#include "results/import/merge.h"
#include "results/store_error.h"
#include "results/text_table.h"

namespace harness {
namespace {

struct import_arguments {
  std::vector<std::string> files;
  std::string database = default_database;
  bool json = false;
};

struct imported {
  std::string file;
  results::merge_report report;
};

nlohmann::ordered_json count_json(const results::merge_count& of) {
  return {{"added", of.added}, {"there", of.there}};
}

std::string json_of(const std::vector<imported>& all) {
  auto files = nlohmann::ordered_json::array();
  for (const imported& of : all) {
    files.push_back({{"file", of.file},
                     {"schema_version", of.report.schema_version},
                     {"runs", count_json(of.report.runs)},
                     {"points", count_json(of.report.points)},
                     {"attempts", count_json(of.report.attempts)},
                     {"profiles_added", of.report.profiles_added}});
  }
  return files.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string count_text(const results::merge_count& of) {
  return of.there == 0 ? fmt::format("{}", of.added) : fmt::format("{} (+{} there)", of.added, of.there);
}

std::string text_of(const std::vector<imported>& all) {
  results::text_table table({{{"file"}, results::alignment::left},
                             {{"runs", "added"}},
                             {{"points", "added"}},
                             {{"attempts", "added"}},
                             {{"profiles", "added"}}});
  for (const imported& of : all) {
    table.add({of.file, count_text(of.report.runs), count_text(of.report.points),
               count_text(of.report.attempts), fmt::format("{}", of.report.profiles_added)});
  }
  return table.text();
}

// A file that is refused leaves those before it imported, so they are told of.
exit_code import_files(const import_arguments& arguments) {
  const results::merge_options options{
      .into = arguments.database,
      .essbench_version = capture_build().at("version").get<std::string>(),
      .at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
  std::vector<imported> done;
  const auto report = [&] { print(arguments.json ? json_of(done) : text_of(done)); };
  try {
    for (const std::string& file : arguments.files) done.push_back({file, merge_database(file, options)});
  } catch (const results::store_error&) {
    if (!done.empty()) report();
    throw;
  }
  report();
  return exit_code::ok;
}

}  // namespace

void add_import(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("import", "Add the runs of other databases to a database");
  auto arguments = std::make_shared<import_arguments>();
  command
      ->add_option("FILE", arguments->files,
                   "Databases of essbench; what is there already is not added again")
      ->required();
  command->add_option("--db", arguments->database, "SQLite file that they go into")->capture_default_str();
  command->add_flag("--json", arguments->json, "What was added, as JSON");
  command->callback([&chosen, arguments] { chosen = [arguments] { return import_files(*arguments); }; });
}

}  // namespace harness
