#include "harness/environment/cpu_info.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>

#include "harness/environment/json_optional.h"

namespace harness {
namespace {

using nlohmann::json;

// x86 and Arm: what Highway and libxsmm choose their code by.
constexpr std::array flags_of_note = {
    "amx_bf16",    "amx_int8",    "amx_tile", "asimd",       "asimddp",      "avx",     "avx2",
    "avx512_bf16", "avx512_fp16", "avx512bw", "avx512_vnni", "avx512_vbmi2", "avx512f", "bf16",
    "f16c",        "fma",         "gfni",     "i8mm",        "sse4_2",       "sve",     "sve2"};

json flags_among(std::string_view line) {
  const std::set<std::string_view> wanted(flags_of_note.begin(), flags_of_note.end());
  std::set<std::string> found;
  for (auto part : std::views::split(line, ' ')) {
    const std::string_view flag(part.begin(), part.end());
    if (wanted.contains(flag)) found.emplace(flag);
  }
  return found;
}

bool has_word(std::string_view line, std::string_view word) {
  return std::ranges::any_of(std::views::split(line, ' '), [word](auto part) {
    return std::string_view(part.begin(), part.end()) == word;
  });
}

std::optional<std::string> first_of(const std::vector<std::pair<std::string, std::string>>& fields,
                                    std::string_view key) {
  const auto found = std::ranges::find(fields, key, &std::pair<std::string, std::string>::first);
  return found == fields.end() ? std::nullopt : std::optional(found->second);
}

// Distinct (socket, core) pairs; virtual machines and Arm may not say.
struct core_count {
  std::set<std::string> sockets;
  std::set<std::pair<std::string, std::string>> cores;
  std::int64_t logical = 0;
};

core_count count_cores(const std::vector<std::pair<std::string, std::string>>& fields) {
  core_count count;
  std::string socket;
  for (const auto& [key, value] : fields) {
    if (key == "processor") ++count.logical;
    if (key == "physical id") count.sockets.insert(socket = value);
    if (key == "core id") count.cores.emplace(socket, value);
  }
  return count;
}

json positive_or_null(std::int64_t count) { return count > 0 ? json(count) : json(nullptr); }

std::optional<std::int64_t> parse_size(std::string_view text) {
  const std::map<char, std::int64_t> units = {{'K', 1024}, {'M', 1024 * 1024}, {'G', 1024 * 1024 * 1024}};
  if (text.empty()) return std::nullopt;
  const auto unit = units.find(text.back());
  if (unit == units.end()) return parse_integer(text);
  const auto number = parse_integer(text.substr(0, text.size() - 1));
  return number ? std::optional(*number * unit->second) : std::nullopt;
}

std::optional<std::int64_t> listed(const std::optional<std::string>& list) {
  return list ? count_listed(*list) : std::nullopt;
}

std::optional<std::int64_t> usable_cores(const system_files& files) {
  const auto status = files.text("proc/self/status");
  return status ? listed(first_of(parse_fields(*status, ':'), "Cpus_allowed_list")) : std::nullopt;
}

json governor(const system_files& files) {
  std::set<std::string> seen;
  for (const std::string& name : files.names("sys/devices/system/cpu/cpufreq")) {
    if (!name.starts_with("policy")) continue;
    if (auto text = files.text("sys/devices/system/cpu/cpufreq/" + name + "/scaling_governor"))
      seen.insert(*text);
  }
  if (seen.empty()) return nullptr;
  return seen.size() == 1 ? json(*seen.begin()) : json("mixed");
}

// Two interfaces: intel_pstate says the opposite, acpi-cpufreq and amd-pstate say it directly.
json boost(const system_files& files) {
  if (const auto off = files.integer("sys/devices/system/cpu/intel_pstate/no_turbo")) return *off == 0;
  if (const auto on = files.integer("sys/devices/system/cpu/cpufreq/boost")) return *on != 0;
  return nullptr;
}

json max_mhz(const system_files& files) {
  const auto khz = files.integer("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
  return khz ? json(*khz / 1000) : json(nullptr);
}

json smt(const system_files& files) {
  const auto active = files.integer("sys/devices/system/cpu/smt/active");
  return active ? json(*active != 0) : json(nullptr);
}

}  // namespace

json parse_cpuinfo(std::string_view text) {
  const auto fields = parse_fields(text, ':');
  const core_count count = count_cores(fields);
  auto flags = first_of(fields, "flags");
  if (!flags) flags = first_of(fields, "Features");
  return {{"model", or_null(first_of(fields, "model name"))},
          {"vendor", or_null(first_of(fields, "vendor_id"))},
          {"microcode", or_null(first_of(fields, "microcode"))},
          {"sockets", positive_or_null(std::ssize(count.sockets))},
          {"physical_cores", positive_or_null(std::ssize(count.cores))},
          {"logical_cores", positive_or_null(count.logical)},
          {"flags", flags ? flags_among(*flags) : json(nullptr)},
          {"hypervisor", flags ? json(has_word(*flags, "hypervisor")) : json(nullptr)}};
}

json read_caches(const system_files& files) {
  const std::string folder = "sys/devices/system/cpu/cpu0/cache";
  json caches = json::array();
  for (const std::string& name : files.names(folder)) {
    if (!name.starts_with("index")) continue;
    const std::string cache = folder + "/" + name;
    const auto size = files.text(cache + "/size");
    caches.push_back({{"level", or_null(files.integer(cache + "/level"))},
                      {"type", or_null(files.text(cache + "/type"))},
                      {"bytes", or_null(size ? parse_size(*size) : std::nullopt)},
                      {"shared_by", or_null(listed(files.text(cache + "/shared_cpu_list")))}});
  }
  return caches.empty() ? json(nullptr) : caches;
}

json capture_cpu(const system_files& files) {
  json cpu = parse_cpuinfo(files.text("proc/cpuinfo").value_or(""));
  cpu["caches"] = read_caches(files);
  cpu["usable_cores"] = or_null(usable_cores(files));
  cpu["smt"] = smt(files);
  cpu["governor"] = governor(files);
  cpu["boost"] = boost(files);
  cpu["max_mhz"] = max_mhz(files);
  return cpu;
}

}  // namespace harness
