#include "harness/environment/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>

namespace harness {
namespace {

using nlohmann::json;
using enum check_status;

constexpr std::array status_names = {std::string_view("ok"), std::string_view("warn"),
                                     std::string_view("fail")};

constexpr double busy_share = 0.25;  // of the usable cores, by the load of the last minute
constexpr ess::byte_count little_memory{2'000'000'000};
constexpr ess::byte_count too_little_memory{500'000'000};
constexpr ess::byte_count little_disk{1'000'000'000};
constexpr ess::byte_count too_little_disk{50'000'000};
constexpr ess::microseconds coarse_clock{
    1.0};  // a step takes milliseconds, an operation tens of microseconds
constexpr ess::microseconds useless_clock{1000.0};
constexpr double low_gemm_share = 0.4;

json find(const json& environment, std::string_view section, std::string_view key) {
  const auto part = environment.find(section);
  if (part == environment.end() || !part->is_object()) return nullptr;
  const auto value = part->find(key);
  return value == part->end() ? json(nullptr) : *value;
}

// The core count that this process may use, or else that of the machine.
std::optional<std::int64_t> usable_cores(const json& environment) {
  for (const char* key : {"usable_cores", "logical_cores"}) {
    const json count = find(environment, "cpu", key);
    if (count.is_number_integer()) return count.get<std::int64_t>();
  }
  return std::nullopt;
}

check check_cores(const json& environment) {
  const auto cores = usable_cores(environment);
  if (!cores) return {.name = "cores", .text = "number of cores not known"};
  if (*cores < 2) {
    return {.name = "cores",
            .status = warn,
            .text = "1 core",
            .hint = "compute and copy streams share it, so overlap cannot show; use 2 cores or more"};
  }
  return {.name = "cores", .text = fmt::format("{} cores usable", *cores)};
}

check check_governor(const json& environment) {
  const json governor = find(environment, "cpu", "governor");
  if (!governor.is_string()) return {.name = "governor", .text = "frequency governor not visible here"};
  const auto name = governor.get<std::string>();
  if (name == "performance") return {.name = "governor", .text = name};
  return {.name = "governor",
          .status = warn,
          .text = fmt::format("{}: clock frequency follows the load", name),
          .hint = "cpupower frequency-set --governor performance"};
}

check check_load(const json& environment) {
  const json load = find(environment, "load", "1min");
  const auto cores = usable_cores(environment);
  if (!load.is_number() || !cores) return {.name = "load", .text = "load not known"};
  const double value = load.get<double>();
  const std::string text = fmt::format("{:.2f} over the last minute on {} cores", value, *cores);
  if (value <= busy_share * static_cast<double>(*cores)) return {.name = "load", .text = text};
  return {.name = "load", .status = warn, .text = text, .hint = "wait until the other programs are done"};
}

check check_memory(const json& environment) {
  const json available = find(environment, "memory", "available_bytes");
  if (!available.is_number_integer()) return {.name = "memory", .text = "available memory not known"};
  ess::byte_count bytes{available.get<std::int64_t>()};
  const json limit = find(environment, "memory", "limit_bytes");
  if (limit.is_number_integer()) bytes.value = std::min(bytes.value, limit.get<std::int64_t>());
  const std::string text = to_string(bytes) + " available";
  if (bytes >= little_memory) return {.name = "memory", .text = text};
  return {.name = "memory",
          .status = bytes < too_little_memory ? fail : warn,
          .text = text,
          .hint = "choose a smaller model.preset, batch or context_tokens"};
}

check check_clock(const check_facts& facts) {
  const json source = find(facts.environment, "system", "clock_source");
  const std::string name = source.is_string() ? source.get<std::string>() : "source not known";
  if (!facts.clock_resolution) return {.name = "clock", .text = name + ", resolution not measured"};
  const std::string text = fmt::format("{}, resolution {:.3f} us", name, facts.clock_resolution->count());
  if (*facts.clock_resolution <= coarse_clock) return {.name = "clock", .text = text};
  return {.name = "clock",
          .status = *facts.clock_resolution > useless_clock ? fail : warn,
          .text = text,
          .hint = "boot with a better clocksource (tsc, kvm-clock, arch_sys_counter)"};
}

check check_scratch(const check_facts& facts) {
  const std::string where = facts.scratch.string();
  if (!facts.scratch_free) {
    return {.name = "scratch",
            .status = fail,
            .text = "cannot look into " + where,
            .hint = "name a folder that exists and can be written to"};
  }
  const std::string text = fmt::format("{} free in {}", to_string(*facts.scratch_free), where);
  if (*facts.scratch_free >= little_disk) return {.name = "scratch", .text = text};
  return {.name = "scratch",
          .status = *facts.scratch_free < too_little_disk ? fail : warn,
          .text = text,
          .hint = "a full disk ends a run; free some space or put --db elsewhere"};
}

check check_build(const json& environment) {
  const json type = find(environment, "build", "type");
  const json sanitizers = find(environment, "build", "sanitizers");
  if (sanitizers.is_string()) {
    return {.name = "build",
            .status = warn,
            .text = "built with sanitizers: " + sanitizers.get<std::string>(),
            .hint = "measure with the preset `release`"};
  }
  if (!type.is_string()) return {.name = "build", .text = "build type not known"};
  const auto name = type.get<std::string>();
  if (name == "Release" || name == "RelWithDebInfo") return {.name = "build", .text = name};
  return {.name = "build", .status = warn, .text = name, .hint = "measure with the preset `release`"};
}

check check_nvtx(const json& environment) {
  const json nvtx = find(environment, "build", "nvtx");
  if (nvtx.is_boolean() && nvtx.get<bool>()) return {.name = "nvtx", .text = "built in"};
  return {
      .name = "nvtx",
      .text = "not built in: profilers will show no ranges",
      .hint = "only for profiling with Nsight: put the NVTX headers where CMake finds them and build again"};
}

check check_gemm(const std::optional<gemm_rate>& gemm) {
  if (!gemm || gemm->fma_gflops <= 0) return {.name = "gemm", .text = "not measured"};
  const double share = gemm->gflops / gemm->fma_gflops;
  const std::string text =
      fmt::format("{}: {:.1f} GFLOP/s, {:.0f} % of {:.1f} that fused multiply-adds reach", gemm->kernel,
                  gemm->gflops, 100 * share, gemm->fma_gflops);
  if (share >= low_gemm_share) return {.name = "gemm", .text = text};
  return {.name = "gemm",
          .status = warn,
          .text = text,
          .hint =
              "compute looks slower here than the cores are, so transfers look cheaper; see which kernel was "
              "taken"};
}

std::optional<ess::byte_count> free_space(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  if (error) return std::nullopt;
  return ess::byte_count{static_cast<std::int64_t>(space.available)};
}

}  // namespace

std::string_view to_string(check_status status) { return status_names[static_cast<std::size_t>(status)]; }

std::optional<check_status> parse_check_status(std::string_view name) {
  const auto found = std::ranges::find(status_names, name);
  if (found == status_names.end()) return std::nullopt;
  return static_cast<check_status>(found - status_names.begin());
}

ess::microseconds measure_clock_resolution() {
  using clock = std::chrono::steady_clock;
  ess::microseconds smallest = ess::microseconds::max();
  for (int i = 0; i < 100; ++i) {
    const auto before = clock::now();
    auto after = clock::now();
    while (after == before) after = clock::now();
    smallest = std::min(smallest, ess::microseconds(after - before));
  }
  return smallest;
}

check_facts gather_facts(json environment, const std::filesystem::path& scratch,
                         std::optional<gemm_rate> gemm) {
  return {.environment = std::move(environment),
          .scratch = scratch,
          .scratch_free = free_space(scratch),
          .clock_resolution = measure_clock_resolution(),
          .gemm = std::move(gemm)};
}

std::vector<check> run_checks(const check_facts& facts) {
  const json& environment = facts.environment;
  return {check_cores(environment),  check_governor(environment), check_load(environment),
          check_memory(environment), check_clock(facts),          check_scratch(facts),
          check_build(environment),  check_nvtx(environment),     check_gemm(facts.gemm)};
}

check_status worst(const std::vector<check>& checks) {
  check_status status = ok;
  for (const check& one : checks) status = std::max(status, one.status);
  return status;
}

}  // namespace harness
