#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "harness/environment/build_info.h"
#include "harness/environment/host_info.h"
#include "results/import/benchmark.h"
#include "results/import/merge.h"
#include "results/import/nsys.h"
#include "results/store_error.h"
#include "results/text_table.h"

namespace harness {
namespace {

using results::import_count;
using results::import_report;

struct import_arguments {
  std::vector<std::string> files;
  std::string database = default_database;
  std::string run;
  bool benchmark = false;
  bool nsys = false;
  bool json = false;
};

struct imported {
  std::string file;
  import_report report;
};

nlohmann::ordered_json count_json(const import_count& of) {
  return {{"added", of.added}, {"there", of.there}};
}

std::string json_of(const std::vector<imported>& all) {
  auto files = nlohmann::ordered_json::array();
  for (const imported& of : all) {
    files.push_back({{"file", of.file},
                     {"kind", of.report.kind},
                     {"source_version", of.report.source_version},
                     {"runs", count_json(of.report.runs)},
                     {"points", count_json(of.report.points)},
                     {"attempts", count_json(of.report.attempts)},
                     {"profiles", count_json(of.report.profiles)},
                     {"note", of.report.note}});
  }
  return files.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string count_text(const import_count& of) {
  return of.there == 0 ? fmt::format("{}", of.added) : fmt::format("{} (+{} there)", of.added, of.there);
}

std::string text_of(const std::vector<imported>& all) {
  results::text_table table({{{"file"}, results::alignment::left},
                             {{"runs", "added"}},
                             {{"points", "added"}},
                             {{"attempts", "added"}},
                             {{"profiles", "added"}}});
  std::string notes;
  for (const auto& [file, report] : all) {
    table.add({file, count_text(report.runs), count_text(report.points), count_text(report.attempts),
               count_text(report.profiles)});
    if (!report.note.empty()) notes += fmt::format("{}: {}\n", file, report.note);
  }
  return table.text() + notes;
}

bool is_benchmark(const std::string& file) {
  std::string beginning(256, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<std::size_t>(in.gcount()));
  return results::looks_like_benchmark(beginning);
}

import_report import_file(const std::string& file, const import_arguments& arguments) {
  const results::import_options options{
      .into = arguments.database,
      .essbench_version = capture_build().at("version").get<std::string>(),
      .at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
  if (arguments.nsys) return results::import_nsys(file, arguments.run, options);
  if (!arguments.benchmark && !is_benchmark(file)) return results::merge_database(file, options);
  return results::import_benchmark(file, options, host_hash);
}

// A file that is refused leaves those before it imported, so they are told of.
exit_code import_files(const import_arguments& arguments) {
  std::vector<imported> done;
  const auto report = [&] { print(arguments.json ? json_of(done) : text_of(done)); };
  try {
    for (const std::string& file : arguments.files) done.push_back({file, import_file(file, arguments)});
  } catch (const std::runtime_error& e) {
    if (!done.empty()) report();
    if (dynamic_cast<const results::bench_error*>(&e) == nullptr) throw;
    refuse(exit_code::bad_data, fmt::format("{}; nothing of it was imported", e.what()));
  }
  report();
  return exit_code::ok;
}

}  // namespace

void add_import(CLI::App& app, action& chosen) {
  CLI::App* command =
      app.add_subcommand("import", "Add what other databases, or other tools, hold to a database");
  auto arguments = std::make_shared<import_arguments>();
  command
      ->add_option(
          "FILE", arguments->files,
          "Databases of essbench, or JSON of Google Benchmark, or with --nsys exports of Nsight Systems; "
          "what is there is not added again")
      ->required();
  command->add_option("--db", arguments->database, "SQLite file that they go into")->capture_default_str();
  auto* benchmark = command->add_flag("--benchmark", arguments->benchmark,
                                      "The files are JSON of Google Benchmark, whatever they look like");
  auto* nsys = command
                   ->add_flag("--nsys", arguments->nsys,
                              "The files are Nsight Systems reports, exported to SQLite, of a run that is in "
                              "the database (see docs/profiling.md)")
                   ->excludes(benchmark);
  command
      ->add_option("--run", arguments->run, "With --nsys: id of the run, or its beginning; else the latest")
      ->needs(nsys);
  command->add_flag("--json", arguments->json, "What was added, as JSON");
  command->callback([&chosen, arguments] { chosen = [arguments] { return import_files(*arguments); }; });
}

}  // namespace harness
