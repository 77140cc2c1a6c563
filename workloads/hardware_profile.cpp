#include "workloads/hardware_profile.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "ess_core/base/digest.h"
#include "workloads/catalog.h"
#include "workloads/hardware_reading.h"
#include "workloads/spec.h"

namespace workloads {
namespace {

// "h200_ep32"
struct cluster_name {
  std::string_view hardware;
  int ranks = 0;
};

std::optional<cluster_name> parse_cluster(std::string_view name) {
  const auto at = name.rfind("_ep");
  if (at == name.npos) return std::nullopt;
  const std::string_view digits = name.substr(at + 3);
  cluster_name out = {name.substr(0, at)};
  const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), out.ranks);
  if (code != std::errc() || stop != digits.data() + digits.size()) return std::nullopt;
  return out;
}

result<std::filesystem::path> find_file(std::string_view name, std::string_view said) {
  auto folders = catalog_folders();
  for (auto& folder : folders) folder /= "hardware";
  return find_workload(name, folders).map_error([said](spec_error error) {
    error.what = "no hardware profile of this name, and no such file";
    error.file = said;
    return error;
  });
}

}  // namespace

result<hardware_profile> parse_hardware(std::string_view text, std::string_view file) {
  return read_hardware(text, file).map([&](ess::sim::hardware hardware) {
    return hardware_profile{.hardware = std::move(hardware), .sha256 = ess::sha256_hex(text)};
  });
}

result<hardware_profile> load_hardware(const std::filesystem::path& file) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_hardware(*text, file.string());
}

result<hardware_profile> find_profile(std::string_view name_or_path) {
  const auto cluster = parse_cluster(name_or_path);
  if (!cluster) return find_file(name_or_path, name_or_path).and_then(load_hardware);
  if (cluster->ranks < 1 || cluster->ranks > most_ranks) {
    return tl::unexpected(spec_error{.what = fmt::format("ep is not in [1, {}]", most_ranks),
                                     .file = std::string(name_or_path)});
  }
  auto profile = find_file(cluster->hardware, name_or_path).and_then(load_hardware);
  if (!profile) return profile;
  ess::sim::hardware& hardware = profile->hardware;
  hardware.name = name_or_path;
  hardware.expert_ranks = cluster->ranks;
  hardware.nodes = static_cast<int>(std::ceil(cluster->ranks / hardware.gpus_per_node.value));
  return profile;
}

}  // namespace workloads
