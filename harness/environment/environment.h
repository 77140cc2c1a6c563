// Everything about machine and build that a stored result is read with.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace harness {

// {cpu, memory, system, load, build}, see cpu_info.h, host_info.h and build_info.h. Never fails: what cannot
// be found out is null. `root` is where proc, sys and etc are looked for. `load` is that of this moment:
// capture it before the first point.
[[nodiscard]] nlohmann::json capture_environment(const std::filesystem::path& root = "/");

}  // namespace harness
