// What a workload is planned for and run on: the CPU device, or the simulator with a hardware profile.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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

class target {
 public:
  // The CPU device.
  target() = default;
  explicit target(workloads::hardware_profile profile);

  // "cpu" or "sim:PROFILE". The error is for people.
  [[nodiscard]] static workloads::result<target> parse(std::string_view device);

  [[nodiscard]] const std::string& device() const { return device_; }  // "cpu", "sim:h200_ep32"
  [[nodiscard]] bool is_simulated() const { return profile_ != nullptr; }
  [[nodiscard]] const workloads::hardware_profile& profile() const { return *profile_; }
  // The profile's cluster where the settings name none. Null for the CPU device.
  [[nodiscard]] workloads::result<std::shared_ptr<const simulation>> simulation_of(
      const workloads::settings& s) const;

 private:
  [[nodiscard]] workloads::result<const ess::sim::stream_source*> locality_of(const std::string& name) const;

  std::string device_ = "cpu";
  std::shared_ptr<const workloads::hardware_profile> profile_;         // null: the CPU device
  mutable std::map<std::string, ess::sim::stream_source> localities_;  // read so far
};

}  // namespace harness
