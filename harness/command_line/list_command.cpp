#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/command_line/command.h"
#include "workloads/catalog.h"
#include "workloads/fields.h"

namespace harness {
namespace {

struct list_arguments {
  bool json = false;
  bool fields = false;
};

nlohmann::ordered_json as_json(const std::vector<workloads::catalog_entry>& entries) {
  auto out = nlohmann::ordered_json::array();
  for (const auto& e : entries) {
    out.push_back({{"name", e.name},
                   {"file", e.file.string()},
                   {"kind", to_string(e.kind)},
                   {"points", e.points},
                   {"description", e.description}});
    if (!e.fault.empty()) out.back()["fault"] = e.fault;
  }
  return out;
}

exit_code list(const list_arguments& arguments) {
  if (arguments.fields) {
    print(workloads::describe_fields());
    return exit_code::ok;
  }
  const auto entries = workloads::list_workloads();
  if (arguments.json) {
    print(as_json(entries).dump(2) + "\n");
    return exit_code::ok;
  }
  for (const auto& e : entries) {
    if (e.fault.empty()) {
      print(
          fmt::format("{:<16} {:<6}{:>4} points  {}\n", e.name, to_string(e.kind), e.points, e.description));
    } else {
      print(fmt::format("{:<16} cannot be read: {}\n", e.name, e.fault));
    }
  }
  return exit_code::ok;
}

}  // namespace

void add_list(CLI::App& app, action& chosen) {
  CLI::App* command = app.add_subcommand("list", "Workloads that ship, a line each");
  auto arguments = std::make_shared<list_arguments>();
  command->add_flag("--json", arguments->json, "As JSON");
  command->add_flag("--fields", arguments->fields, "Instead: every field that a workload or --set can set");
  command->callback([&chosen, arguments] { chosen = [arguments] { return list(*arguments); }; });
}

}  // namespace harness
