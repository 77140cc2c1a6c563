#include "results/show_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "results/text_table.h"

namespace results {
namespace {

struct operation_lines {
  std::string name;
  profile_line range;                // summed over layers
  std::vector<profile_line> on_gpu;  // likewise, by name
  double gpu_us = 0;
};

void add(profile_line& to, const profile_line& of) {
  to.activity = of.activity;
  to.name = of.name;
  to.count += of.count;
  to.cpu_us += of.cpu_us;
  to.gpu_us += of.gpu_us;
  to.bytes += of.bytes;
}

std::vector<operation_lines> operations_of(const profile& seen) {
  std::map<std::string, operation_lines> by_name;
  std::map<std::string, std::map<std::pair<profiled_activity, std::string>, profile_line>> on_gpu;
  for (const profile_line& line : seen) {
    operation_lines& operation = by_name[line.operation];
    operation.name = line.operation;
    operation.gpu_us += line.gpu_us;
    const bool is_range = line.activity == profiled_activity::range;
    add(is_range ? operation.range : on_gpu[line.operation][{line.activity, line.name}], line);
  }
  std::vector<operation_lines> all;
  for (auto& [name, operation] : by_name) {
    for (auto& [key, line] : on_gpu[name]) operation.on_gpu.push_back(std::move(line));
    std::ranges::stable_sort(operation.on_gpu, std::ranges::greater{}, &profile_line::gpu_us);
    all.push_back(std::move(operation));
  }
  std::ranges::stable_sort(all, [](const operation_lines& a, const operation_lines& b) {
    return std::pair(a.gpu_us, a.range.cpu_us) > std::pair(b.gpu_us, b.range.cpu_us);
  });
  return all;
}

std::string number_or_dash(double value) { return value > 0 ? fmt::format("{:.1f}", value) : "-"; }

std::string bytes_or_dash(std::int64_t bytes) {
  return bytes > 0 ? fmt::format("{:.3f}", static_cast<double>(bytes) * 1e-6) : "-";
}

std::string table_of(const profile& seen) {
  text_table table({{{"operation"}, alignment::left},
                    {{"kernel or copy"}, alignment::left},
                    {{"count"}},
                    {{"CPU us"}},
                    {{"GPU us"}},
                    {{"MB"}}});
  for (const operation_lines& operation : operations_of(seen)) {
    const profile_line& range = operation.range;
    table.add({operation.name, "", fmt::format("{}", range.count), number_or_dash(range.cpu_us),
               number_or_dash(operation.gpu_us), bytes_or_dash(range.bytes)});
    for (const profile_line& line : operation.on_gpu) {
      table.add({"", fmt::format("{} {}", to_string(line.activity), line.name), fmt::format("{}", line.count),
                 "", number_or_dash(line.gpu_us), bytes_or_dash(line.bytes)});
    }
  }
  return table.text(2);
}

std::string sources_of(const loaded_run& run) {
  std::string text;
  for (const import_record& import : run.imports) {
    if (import.kind != "nsys") continue;
    text += printable(fmt::format("{} {}: {}", import.file, import.source_version, import.note)) + "\n";
  }
  return text;
}

}  // namespace

std::string show_profile(const loaded_run& run) {
  std::string tables;
  for (const loaded_point& point : run.points) {
    if (point.last() == nullptr || point.last()->profiled.empty()) continue;
    tables += fmt::format("\n{} ({})\n{}", printable(point.point.label), printable(point.point.system),
                          table_of(point.last()->profiled));
  }
  if (tables.empty()) {
    return fmt::format("run {} has no profile; see docs/profiling.md for how to get one\n", run.run.id);
  }
  return sources_of(run) + tables +
         "\nCPU us: how long ranges were open, all of them together; \"step\" and \"point\" hold the "
         "others.\n"
         "GPU us: what was launched in them; of \"step\" and \"point\" only what no operation launched, CUDA "
         "graphs for one.\n"
         "MB: of a range what the program says crosses the link, of a copy what was copied.\n";
}

}  // namespace results
