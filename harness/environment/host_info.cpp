#include "harness/environment/host_info.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <ranges>

#include "harness/environment/json_optional.h"

namespace harness {
namespace {

using nlohmann::json;

json kilobytes(std::string_view value) {
  const auto number = parse_integer(value.substr(0, value.find(' ')));
  return number ? json(*number * 1024) : json(nullptr);
}

// "always [madvise] never" -> "madvise"
json chosen(const std::optional<std::string>& options) {
  if (!options) return nullptr;
  const std::size_t open = options->find('[');
  const std::size_t close = options->find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return nullptr;
  return options->substr(open + 1, close - open - 1);
}

// Version 2 of control groups says "max" where there is no limit; version 1 a number near 2^63.
json memory_limit(const system_files& files) {
  auto limit = files.integer("sys/fs/cgroup/memory.max");
  if (!limit) limit = files.integer("sys/fs/cgroup/memory/memory.limit_in_bytes");
  return limit && *limit < (std::int64_t{1} << 60) ? json(*limit) : json(nullptr);
}

json numa_nodes(const system_files& files) {
  const auto online = files.text("sys/devices/system/node/online");
  return or_null(online ? count_listed(*online) : std::nullopt);
}

json container(const system_files& files) {
  if (files.exists(".dockerenv")) return "docker";
  if (files.exists("run/.containerenv")) return "podman";
  const auto groups = files.text("proc/1/cgroup");
  for (const char* kind : {"kubepods", "docker", "lxc", "containerd"}) {
    if (groups && groups->find(kind) != std::string::npos) return kind;
  }
  return nullptr;
}

json host_name_hash(const system_files& files) {
  const auto name = files.text("proc/sys/kernel/hostname");
  return name && !name->empty() ? json(host_hash(*name)) : json(nullptr);
}

}  // namespace

json parse_meminfo(std::string_view text) {
  json memory = {{"total_bytes", nullptr}, {"available_bytes", nullptr}, {"swap_total_bytes", nullptr}};
  for (const auto& [key, value] : parse_fields(text, ':')) {
    if (key == "MemTotal") memory["total_bytes"] = kilobytes(value);
    if (key == "MemAvailable") memory["available_bytes"] = kilobytes(value);
    if (key == "SwapTotal") memory["swap_total_bytes"] = kilobytes(value);
  }
  return memory;
}

json parse_loadavg(std::string_view text) {
  constexpr std::array keys = {"1min", "5min", "15min"};
  json load;
  for (auto part : std::views::split(text, ' ') | std::views::take(3)) {
    const std::string_view word(part.begin(), part.end());
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size()) return nullptr;
    load[keys[load.size()]] = value;
  }
  return load.size() == keys.size() ? load : json(nullptr);
}

json parse_distribution(std::string_view text) {
  for (const auto& [key, value] : parse_fields(text, '=')) {
    if (key != "PRETTY_NAME") continue;
    const bool quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'');
    return quoted ? value.substr(1, value.size() - 2) : value;
  }
  return nullptr;
}

std::string host_hash(std::string_view host_name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : host_name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

json capture_memory(const system_files& files) {
  json memory = parse_meminfo(files.text("proc/meminfo").value_or(""));
  memory["limit_bytes"] = memory_limit(files);
  memory["numa_nodes"] = numa_nodes(files);
  memory["huge_pages"] = chosen(files.text("sys/kernel/mm/transparent_hugepage/enabled"));
  return memory;
}

json capture_system(const system_files& files) {
  return {{"kernel", or_null(files.text("proc/sys/kernel/osrelease"))},
          {"distribution", parse_distribution(files.text("etc/os-release").value_or(""))},
          {"host_hash", host_name_hash(files)},
          {"clock_source",
           or_null(files.text("sys/devices/system/clocksource/clocksource0/current_clocksource"))},
          {"container", container(files)},
          {"hypervisor_product", or_null(files.text("sys/class/dmi/id/product_name"))}};
}

json capture_load(const system_files& files) {
  return parse_loadavg(files.text("proc/loadavg").value_or(""));
}

}  // namespace harness
