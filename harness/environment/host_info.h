// Memory, operating system, load and virtualisation of this machine. Missing things are null.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "harness/environment/system_files.h"

namespace harness {

// {total_bytes, available_bytes, swap_total_bytes} of the text of /proc/meminfo.
[[nodiscard]] nlohmann::json parse_meminfo(std::string_view text);
// {1min, 5min, 15min} of the text of /proc/loadavg; null if it is not one.
[[nodiscard]] nlohmann::json parse_loadavg(std::string_view text);
// PRETTY_NAME of the text of /etc/os-release.
[[nodiscard]] nlohmann::json parse_distribution(std::string_view text);
// 16 hexadecimal digits that tell machines apart without naming them (FNV-1a of the host's name).
[[nodiscard]] std::string host_hash(std::string_view host_name);

// parse_meminfo, and {limit_bytes, numa_nodes, huge_pages}; `limit_bytes` is that of the control group.
[[nodiscard]] nlohmann::json capture_memory(const system_files& files);
// {kernel, distribution, host_hash, clock_source, container, hypervisor_product}
[[nodiscard]] nlohmann::json capture_system(const system_files& files);
[[nodiscard]] nlohmann::json capture_load(const system_files& files);

}  // namespace harness
