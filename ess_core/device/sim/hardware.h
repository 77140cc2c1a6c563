// What the simulator knows of a GPU, its host and its network: figures and measured tables, each with its
// source. Files of them are in workloads/hardware (workloads/hardware_profile.h).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/base/units.h"
#include "ess_core/device/sim/cost_table.h"
#include "ess_core/step/operation.h"

namespace ess::sim {

struct hardware {
  std::string name;
  std::string description;
  // The cluster that a profile stands for unless it is told another.
  int nodes = 1;
  int expert_ranks = 8;

  // The GPU.
  figure memory_bytes;
  figure reserved_bytes;  // runtime, graphs, communication buffers
  figure memory_gb_per_s;
  figure memory_efficiency;  // what kernels reach of it
  figure bf16_tflops;        // dense
  figure fp8_tflops;         // dense
  figure gemm_efficiency;    // what large products reach of it
  figure attention_tflops;   // sparse attention over fp8 rows
  figure sms;
  figure l2_bytes;   // no cost depends on it: the tables were measured with it
  figure kernel_us;  // the least that a kernel takes within a graph

  // The step outside of the layers: scheduling, sampling; without the language model head.
  figure step_us;
  // Map lookups of resolve, per selected id, with all SMs at work.
  figure resolve_ns_per_id;
  // Share of scoring in what grows with the context; the rest is selection.
  figure score_share;
  // Time of a step's second and later query tokens of a request in score_keys, in parts of the first's, if
  // keys are read once a step.
  figure shared_key_share;

  // The link to the host, one GPU.
  figure gather_gb_per_s;         // rows by one kernel, into the GPU
  figure scatter_gb_per_s;        // out of it
  figure gather_in_flight_bytes;  // what the kernel keeps on its way
  figure gather_latency_us;       // of one read over the link
  figure gather_sm_share;         // SMs that such a kernel takes from others
  figure copy_in_gb_per_s;        // copy engine
  figure copy_out_gb_per_s;
  figure call_in_us;  // one copy call a row
  figure call_out_us;

  // The host and its GPUs.
  figure gpus_per_node;
  figure host_memory_bytes;  // of a node
  figure host_gb_per_s;      // what the node's memory sustains, all GPUs together

  // Between GPUs.
  figure nvlink_gb_per_s;     // each way
  figure rdma_gb_per_s;       // each way, of one GPU
  figure network_sm_share;    // SMs that an all-to-all takes while it runs beside compute
  figure network_link_share;  // of the GPU's link to the host, in use while an all-to-all between nodes runs
  figure imbalance;           // exponent of the power law by which experts are chosen; 0: evenly

  // Times in us. A table that is empty is replaced by bytes and operations over what the GPU sustains.
  cost_table attention_module;  // (query tokens, context): all of a layer's sparse attention, projections too
  cost_table dense_attention;   // (requests, context): attention over all rows
  cost_table index_query;       // (query tokens): product that makes the index queries
  cost_table value_up;          // (query tokens): latent output -> values
  cost_table output_projection;    // (query tokens)
  cost_table shared_expert;        // (query tokens)
  cost_table experts_even;         // (experts on this rank, rows an expert)
  cost_table experts_skewed;       // the same by a power law with exponent 0.6
  cost_table experts_very_skewed;  // 1.01
  cost_table dispatch;             // (nodes, tokens of a rank)
  cost_table combine;

  // A machine's own times of whole operations, by kind: they come before all of the above. Over (query
  // tokens, context), of `attend` over (query tokens, rows of each). Waits of dispatch and combine included.
  std::array<cost_table, op_kind_count> operations;
};

// Of a GPU, for weights, caches and activations.
[[nodiscard]] byte_count usable_bytes(const hardware& of);

struct figure_field {
  std::string_view name;
  figure hardware::*member;
};
struct table_field {
  std::string_view name;
  cost_table hardware::*member;
  std::string_view x;  // empty: over y alone
  std::string_view y;
};
// All of them, in the order above; names as in files.
[[nodiscard]] std::span<const figure_field> figure_fields();
[[nodiscard]] std::span<const table_field> table_fields();

}  // namespace ess::sim
