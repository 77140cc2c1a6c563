// The simulated device: no numbers, a virtual clock. It runs the step programs of the other devices; which
// rows a step selects comes from the synthetic model of locality, what the pools hold from the real pools,
// how long operations take from a hardware profile.
//
// Pools and streams are followed exactly for a sample of requests and layers. A layer outside of the sample
// has the counts of the sampled one that it resembles most; a request outside has the mean of those sampled.
#pragma once

#include <memory>

#include "ess_core/device/device.h"
#include "ess_core/device/sim/cost_model.h"
#include "ess_core/device/sim/index_stream.h"

namespace ess {

struct sim_device_options {
  byte_count device_budget{0};  // 0: unlimited
  byte_count host_budget{0};
  sim::hardware hardware;
  sim::cluster cluster;
  sim::stream_source locality;
  std::int32_t followed_requests = 4;  // at a time; 0: all
  std::int32_t followed_layers = 0;    // 0: all
  std::int32_t given_misses = 0;       // of every request and layer in every step; nothing is followed then
  int threads = 1;                     // no figure depends on it
  // If the points of a run share their streams: with the key of this one's.
  std::shared_ptr<sim::shared_streams> streams = nullptr;
};

[[nodiscard]] std::unique_ptr<device> make_sim_device(sim_device_options options);

}  // namespace ess
