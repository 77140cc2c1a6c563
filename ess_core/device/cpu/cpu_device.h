// The CPU device: real numbers on a wall clock. Compute and copy streams are threads; both tiers are host
// memory with a byte budget, and the link between them can be paced.
#pragma once

#include <memory>

#include "ess_core/device/device.h"
#include "ess_core/device/transfer_probe.h"

namespace ess {

namespace cpu {
class weights_cache;
}
class communicator;

struct cpu_device_options {
  byte_count device_budget{0};  // 0: no limit
  byte_count host_budget{0};
  link_settings link;
  int compute_threads = 1;  // of the compute stream; copies have one of their own
  int first_core = 0;       // of the usable ones, where there are enough for each thread to stay on its own
  // Keeps weights between devices of the same model and seed; null: not shared.
  std::shared_ptr<cpu::weights_cache> weights;
  // The ranks that hold the routed experts together; every one of them runs the same programs. Must outlive
  // the device. Null, or only one: this device has all experts.
  communicator* ranks = nullptr;
};

// One a core. The copy stream needs little of one: a paced link is asleep most of the time.
[[nodiscard]] int default_compute_threads();
[[nodiscard]] std::shared_ptr<cpu::weights_cache> make_cpu_weights_cache();
[[nodiscard]] std::unique_ptr<device> make_cpu_device(const cpu_device_options& options);
[[nodiscard]] std::unique_ptr<transfer_probe> make_cpu_probe();

}  // namespace ess
