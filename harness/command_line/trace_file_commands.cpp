// essbench trace info, validate, import
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "ess_core/locality/npy.h"
#include "harness/command_line/trace_commands.h"

namespace harness {
namespace {

using nlohmann::ordered_json;
using workloads::trace_manifest;

struct file_arguments {
  std::string file;
  std::string out;
  std::optional<ess::token_id> first_token;
  bool json = false;
};

ordered_json as_json(const std::string& file, const trace_manifest& manifest) {
  const ess::trace_shape& shape = manifest.header.shape;
  ordered_json out = {{"file", file},
                      {"version", ess::trace_version},
                      {"steps", shape.steps},
                      {"layers", shape.layers},
                      {"top_k", shape.top_k},
                      {"first_token", shape.first_token},
                      {"sha256", manifest.header.sha256},
                      {"source", manifest.source}};
  if (manifest.synthesis) out["synthesis"] = as_json(*manifest.synthesis);
  return out;
}

void print_lines(const ordered_json& object) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      print_lines(value);
    } else {
      print(fmt::format("{:<15} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump()));
    }
  }
}

// An empty source where there is no manifest.
trace_manifest manifest_or_none(const std::string& file, const ess::trace_header& header) {
  auto manifest = taken(workloads::read_manifest(file, header), file);
  return manifest ? *std::move(manifest) : trace_manifest{header, ""};
}

exit_code info(const file_arguments& arguments) {
  const auto header = taken(ess::read_trace_header(arguments.file), arguments.file);
  print_trace(arguments.file, manifest_or_none(arguments.file, header), arguments.json);
  return exit_code::ok;
}

exit_code validate(const file_arguments& arguments) {
  const auto stored = taken(ess::read_trace(arguments.file), arguments.file);
  const trace_manifest manifest = manifest_or_none(arguments.file, {stored.trace.shape, stored.sha256});
  if (arguments.json) {
    print_trace(arguments.file, manifest, true);
  } else {
    print(fmt::format("{}: valid, {} ids\n", arguments.file, stored.trace.ids.size()));
  }
  return exit_code::ok;
}

exit_code import_npy(const file_arguments& arguments) {
  const auto trace = taken(ess::read_npy(arguments.file, arguments.first_token), arguments.file);
  trace_manifest manifest;
  manifest.source = fmt::format("imported from {}, first token {}", arguments.file,
                                arguments.first_token ? "as given" : "derived from the largest id");
  write_trace_and_manifest(arguments.out, trace, manifest);
  print_trace(arguments.out, manifest, arguments.json);
  return exit_code::ok;
}

using subcommand = exit_code (*)(const file_arguments&);

std::pair<CLI::App*, std::shared_ptr<file_arguments>> add(CLI::App& trace, action& chosen, const char* name,
                                                          const char* help, subcommand run) {
  CLI::App* command = trace.add_subcommand(name, help);
  const auto arguments = std::make_shared<file_arguments>();
  command->add_option("FILE", arguments->file, "The file to read")->required();
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments, run] { chosen = [arguments, run] { return run(*arguments); }; });
  return {command, arguments};
}

}  // namespace

std::int32_t loaded_trace::lead_in(std::int32_t query_tokens) const {
  if (!manifest || !manifest->synthesis) return 0;
  return (manifest->synthesis->lead_in_steps + query_tokens - 1) / query_tokens;
}

loaded_trace load_trace(const std::string& file) {
  auto stored = taken(ess::read_trace(file), file);
  auto manifest = taken(workloads::read_manifest(file, {stored.trace.shape, stored.sha256}), file);
  return {std::move(stored.trace), std::move(manifest)};
}

void print_trace(const std::string& file, const trace_manifest& manifest, bool json) {
  const ordered_json all = as_json(file, manifest);
  if (json) return print(all.dump(2) + "\n");
  print_lines(all);
}

void write_trace_and_manifest(const std::string& file, const ess::index_trace& trace,
                              trace_manifest& manifest) {
  manifest.header = {trace.shape, taken(ess::write_trace(trace, file), file)};
  taken(workloads::write_manifest(file, manifest).map([] { return true; }), file);
}

void add_trace_info(CLI::App& trace, action& chosen) {
  add(trace, chosen, "info", "What a trace file holds, by its header and manifest", info);
}

void add_trace_validate(CLI::App& trace, action& chosen) {
  add(trace, chosen, "validate", "Checks size, checksum, manifest and every id", validate);
}

void add_trace_import(CLI::App& trace, action& chosen) {
  const auto [command, arguments] = add(
      trace, chosen, "import", "A trace file from an int32 .npy array [steps, layers, top-k]", import_npy);
  command->add_option("--out", arguments->out, "The trace file to write")->required();
  command->add_option("--first-token", arguments->first_token,
                      "Position of the first query token; derived from the ids if left out");
}

}  // namespace harness
