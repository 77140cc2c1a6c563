// What /proc/cpuinfo and /sys/devices/system/cpu say. Missing things are null.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "harness/environment/system_files.h"

namespace harness {

// {model, vendor, microcode, sockets, physical_cores, logical_cores, flags, hypervisor} of the text of
// /proc/cpuinfo. `flags` are only those that change what the kernels do, sorted.
[[nodiscard]] nlohmann::json parse_cpuinfo(std::string_view text);
// [{level, type, bytes, shared_by}] of the first processor.
[[nodiscard]] nlohmann::json read_caches(const system_files& files);
// All of the above, and {usable_cores, smt, governor, boost, max_mhz}. `usable_cores` are those this process
// may run on; `governor` is "mixed" if the cores differ.
[[nodiscard]] nlohmann::json capture_cpu(const system_files& files);

}  // namespace harness
