#include "harness/planning/target.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "workloads/locality_model.h"

namespace harness {
namespace {

std::shared_ptr<const ess::cuda_gpu> first_gpu(device_family family) {
  if (family == device_family::cuda_emulated)
    return std::make_shared<const ess::cuda_gpu>(ess::cuda_emulated::describe(0));
#ifdef ESSBENCH_CUDA
  if (ess::cuda::gpu_count() > 0) return std::make_shared<const ess::cuda_gpu>(ess::cuda::describe(0));
#endif
  return nullptr;
}

workloads::spec_error no_gpu() {
  if (!has_cuda()) {
    return {.what = "this program was built without the CUDA toolkit",
            .hint = "configure where nvcc is, or use cuda_emulated, which needs neither it nor a GPU",
            .file = "--device"};
  }
  return {.what = "no CUDA device was found",
          .hint = "is there a GPU, and its driver? cuda_emulated runs the same source on the CPU",
          .file = "--device"};
}

}  // namespace

ess::clock_kind clock_of(device_family family) {
  switch (family) {
    case device_family::simulated:
      return ess::clock_kind::virtual_clock;
    case device_family::cuda:
      return ess::clock_kind::cuda_event;
    case device_family::cpu:
    case device_family::cuda_emulated:
      break;
  }
  return ess::clock_kind::wall;
}

bool has_cuda() {
#ifdef ESSBENCH_CUDA
  return true;
#else
  return false;
#endif
}

target::target(workloads::hardware_profile profile)
    : device_("sim:" + profile.hardware.name),
      family_(device_family::simulated),
      profile_(std::make_shared<const workloads::hardware_profile>(std::move(profile))) {}

workloads::result<target> target::parse(std::string_view device) {
  constexpr std::string_view prefix = "sim:";
  if (device == "cpu") return target();
  if (device == "cuda" || device == "cuda_emulated") {
    target out;
    out.device_ = device;
    out.family_ = device == "cuda" ? device_family::cuda : device_family::cuda_emulated;
    out.gpu_ = first_gpu(out.family_);
    if (out.gpu_ == nullptr) return tl::unexpected(no_gpu());
    return out;
  }
  if (!device.starts_with(prefix)) {
    return tl::unexpected(
        workloads::spec_error{.what = fmt::format("'{}' is no device of this version", device),
                              .hint = "cpu, cuda, cuda_emulated, or sim:PROFILE such as sim:h200_ep32",
                              .file = "--device"});
  }
  auto profile = workloads::find_profile(device.substr(prefix.size()));
  if (!profile) return tl::unexpected(profile.error());
  return target(*std::move(profile));
}

// The rest is the driver's, and scratch of kernels that no layout counts: partial sums of attention and
// products.
ess::byte_count target::usable_gpu_memory() const {
  constexpr ess::byte_count apart{3'000'000'000};
  return gpu_ == nullptr ? ess::byte_count{0} : std::max(gpu_->memory - apart, ess::byte_count{1});
}

ess::byte_count target::lockable_memory() const {
  if (family_ != device_family::cuda) return {0};
  const std::int64_t all = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  return {all / 10 * 7};
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
