#include "harness/environment/rank_place.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/environment/host_info.h"
#include "harness/environment/json_optional.h"

namespace harness {
namespace {

// A line of /proc/self/status.
std::optional<std::string> own_status(const system_files& files, std::string_view key) {
  const auto text = files.text("proc/self/status");
  if (!text) return std::nullopt;
  for (const auto& [name, value] : parse_fields(*text, ':')) {
    if (name == key) return value;
  }
  return std::nullopt;
}

nlohmann::json nic(const system_files& files, const std::string& folder, const std::string& name) {
  const std::string at = fmt::format("{}/{}", folder, name);
  return {{"name", name},
          {"numa_node", or_null(files.integer(at + "/device/numa_node"))},
          {"mbit_per_s", or_null(files.integer(at + "/speed"))}};
}

nlohmann::json nics(const system_files& files) {
  nlohmann::json out = nlohmann::json::array();
  for (const std::string& name : files.names("sys/class/infiniband"))
    out.push_back(nic(files, "sys/class/infiniband", name));
  for (const std::string& name : files.names("sys/class/net")) {
    // Those that lead out of the machine belong to a device.
    if (files.exists(fmt::format("sys/class/net/{}/device", name)))
      out.push_back(nic(files, "sys/class/net", name));
  }
  return out;
}

}  // namespace

nlohmann::json capture_rank_place(const system_files& files) {
  const auto host = files.text("proc/sys/kernel/hostname");
  return {{"host_hash", host ? nlohmann::json(host_hash(*host)) : nlohmann::json()},
          {"cores", or_null(own_status(files, "Cpus_allowed_list"))},
          {"numa_nodes", or_null(own_status(files, "Mems_allowed_list"))},
          {"nics", nics(files)}};
}

}  // namespace harness
