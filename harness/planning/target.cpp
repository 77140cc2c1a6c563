#include "harness/planning/target.h"

#include <fmt/format.h>

#include <cmath>

#include "workloads/locality_model.h"

namespace harness {

target::target(workloads::hardware_profile profile)
    : device_("sim:" + profile.hardware.name),
      profile_(std::make_shared<const workloads::hardware_profile>(std::move(profile))) {}

workloads::result<target> target::parse(std::string_view device) {
  constexpr std::string_view prefix = "sim:";
  if (device == "cpu") return target();
  if (!device.starts_with(prefix)) {
    return tl::unexpected(
        workloads::spec_error{.what = fmt::format("'{}' is no device of this version", device),
                              .hint = "cpu, or sim:PROFILE such as sim:h200_ep32",
                              .file = "--device"});
  }
  auto profile = workloads::find_profile(device.substr(prefix.size()));
  if (!profile) return tl::unexpected(profile.error());
  return target(*std::move(profile));
}

workloads::result<const ess::sim::stream_source*> target::locality_of(const std::string& name) const {
  if (const auto known = localities_.find(name); known != localities_.end()) return &known->second;
  const auto file = workloads::find_locality(name);
  if (!file) return tl::unexpected(file.error());
  const auto model = workloads::load_locality(*file);
  if (!model) return tl::unexpected(model.error());
  ess::sim::stream_source& read = localities_[name];
  read.stream = model->stream;
  read.layers = model->layers;
  return &read;
}

workloads::result<std::shared_ptr<const simulation>> target::simulation_of(
    const workloads::settings& s) const {
  if (!is_simulated()) return nullptr;
  const auto of = locality_of(s.simulation.locality);
  if (!of) return tl::unexpected(of.error());
  const ess::sim::hardware& hw = profile_->hardware;
  auto out = std::make_shared<simulation>(simulation{.profile = profile_, .locality = **of});
  out->locality.seed = static_cast<std::uint64_t>(s.seed);
  out->cluster.expert_ranks = s.cluster.ep > 0 ? s.cluster.ep : hw.expert_ranks;
  const double nodes = std::ceil(out->cluster.expert_ranks / hw.gpus_per_node.value);
  out->cluster.nodes = s.cluster.nodes > 0 ? s.cluster.nodes
                       : s.cluster.ep > 0  ? static_cast<int>(nodes)
                                           : hw.nodes;
  out->cluster.imbalance = s.cluster.imbalance.value_or(hw.imbalance.value);
  out->cluster.keys = s.simulation.key_reads == workloads::key_reads_mode::once_a_step
                          ? ess::sim::key_reads::once_a_step
                          : ess::sim::key_reads::once_a_query_token;
  return out;
}

}  // namespace harness
