// What a workload is planned for and run on: the CPU device, a GPU or its stand-in, or the simulator with a
// hardware profile.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ess_core/device/cuda/cuda_device.h"
#include "ess_core/device/sim/sim_device.h"
#include "workloads/hardware_profile.h"
#include "workloads/settings.h"

namespace harness {

// What the simulator needs to know for a point.
struct simulation {
  std::shared_ptr<const workloads::hardware_profile> profile;
  ess::sim::cluster cluster;
  ess::sim::stream_source locality;
};

enum class device_family : std::uint8_t { cpu, cuda, cuda_emulated, simulated };
// Of its results: "wall", "cuda_event" or "virtual".
[[nodiscard]] ess::clock_kind clock_of(device_family family);
[[nodiscard]] constexpr bool is_cuda(device_family family) {
  return family == device_family::cuda || family == device_family::cuda_emulated;
}
// Whether this program was built with the CUDA toolkit.
[[nodiscard]] bool has_cuda();

class target {
 public:
  // The CPU device.
  target() = default;
  explicit target(workloads::hardware_profile profile);

  // "cpu", "cuda", "cuda_emulated" or "sim:PROFILE". The error is for people.
  [[nodiscard]] static workloads::result<target> parse(std::string_view device);

  [[nodiscard]] const std::string& device() const { return device_; }  // "cpu", "sim:h200_ep32"
  [[nodiscard]] device_family family() const { return family_; }
  [[nodiscard]] bool is_simulated() const { return profile_ != nullptr; }
  // Of a CUDA device; null for others.
  [[nodiscard]] const ess::cuda_gpu* gpu() const { return gpu_.get(); }
  // Of its memory, what a point may use: the driver and the kernels' scratch need some. 0: no limit.
  [[nodiscard]] ess::byte_count usable_gpu_memory() const;
  // Of the host's, what a GPU's host tier may lock: the rest is the operating system's, and prompts'. 0: no
  // limit.
  [[nodiscard]] ess::byte_count lockable_memory() const;
  [[nodiscard]] const workloads::hardware_profile& profile() const { return *profile_; }
  // Processes like this one that share the routed experts, each with a batch of its own.
  [[nodiscard]] int ranks() const { return ranks_; }
  void set_ranks(int ranks) { ranks_ = ranks; }
  // The profile's cluster where the settings name none. Null for the CPU device.
  [[nodiscard]] workloads::result<std::shared_ptr<const simulation>> simulation_of(
      const workloads::settings& s) const;

 private:
  [[nodiscard]] workloads::result<const ess::sim::stream_source*> locality_of(const std::string& name) const;

  std::string device_ = "cpu";
  device_family family_ = device_family::cpu;
  int ranks_ = 1;
  std::shared_ptr<const ess::cuda_gpu> gpu_;
  std::shared_ptr<const workloads::hardware_profile> profile_;         // null: not simulated
  mutable std::map<std::string, ess::sim::stream_source> localities_;  // read so far
};

}  // namespace harness
