// Hardware of round numbers, so that times can be worked out by hand.
#pragma once

#include "ess_core/device/sim/hardware.h"

namespace ess::sim::test {

// 1 us a kernel; 1 MB from memory or 1 GFLOP in 1 us; 10 KB in and 20 KB out over the link in 1 us.
inline hardware round_hardware() {
  hardware hw{.name = "round"};
  for (const figure_field& field : figure_fields()) hw.*field.member = {.value = 1};
  hw.memory_bytes = {1e9};
  hw.memory_gb_per_s = {2000};
  hw.memory_efficiency = {0.5};
  hw.bf16_tflops = {2000};
  hw.fp8_tflops = {2000};
  hw.gemm_efficiency = {0.5};
  hw.attention_tflops = {1000};
  hw.kernel_us = {1};
  hw.step_us = {100};
  hw.resolve_ns_per_id = {1};
  hw.score_share = {0.75};
  hw.shared_key_share = {0.5};
  hw.gather_gb_per_s = {10};
  hw.scatter_gb_per_s = {20};
  hw.gather_in_flight_bytes = {100'000};
  hw.gather_latency_us = {2};
  hw.gather_sm_share = {0.25};
  hw.copy_in_gb_per_s = {25};
  hw.copy_out_gb_per_s = {50};
  hw.call_in_us = {3};
  hw.call_out_us = {5};
  hw.gpus_per_node = {8};
  hw.host_gb_per_s = {400};
  hw.nvlink_gb_per_s = {100};
  hw.rdma_gb_per_s = {10};
  hw.network_sm_share = {0};
  hw.network_link_share = {0.125};
  hw.imbalance = {0};
  return hw;
}

}  // namespace ess::sim::test
