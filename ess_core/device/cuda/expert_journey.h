// Rows of experts between the GPUs of ranks, and the results back: as on the CPU device
// (device/cpu/expert_journey.h). How many rows go where the host must know: it waits for the router there.
#pragma once

#include <vector>

#include "ess_core/device/cuda/products.h"

namespace ess::ESS_CUDA {

// Rows of routed experts to compute, one after another: of each list one product a matrix.
struct routed_work {
  std::int64_t first;                       // row
  int rows;                                 // of all lists
  std::vector<const std::int32_t*> starts;  // [experts here + 1] each, on the device
};

// RMS norm of the hidden state of every lane, into the scratch of the network stream.
[[nodiscard]] rows_in normed_for_journey(const context& c, lane_range lanes, const stream& on);
// After dispatch has grouped them. Collective.
void send_to_experts(context& c, batch_slice slice, const stream& on);
// After send_to_experts: a list a rank.
[[nodiscard]] routed_work arrived_work(const context& c, batch_slice slice);
void bring_back(context& c, batch_slice slice, const stream& on);

}  // namespace ess::ESS_CUDA
