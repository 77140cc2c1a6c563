// Weights in the form that the CUDA device computes with; made once for a model and seed, shared by devices.
#pragma once

#include <memory>
#include <vector>

#include "ess_core/device/cuda/kernels/linear_pack.h"
#include "ess_core/device/cuda/runtime.h"
#include "ess_core/device/recent_weights.h"
#include "ess_core/model/dims.h"

namespace ess::ESS_CUDA {

// `count` matrices [n][k] of one kind, packed for the kernel `linear`; none: n == 0.
struct packed_weights {
  device_memory bytes;
  weight_format format = weight_format::bf16;
  float scale = 1;
  int n = 0, k = 0, count = 0;
  std::int64_t stride = 0;  // bytes from one matrix to the next
};

// A gated feed-forward.
struct gated_weights {
  packed_weights gate_up, down;
};

struct layer_weights {
  packed_weights q_a, q_b, kv_a, out, index_q, index_k, index_head_weight;
  packed_weights k_up, v_up;  // a matrix a head: nope -> kv_lora, kv_lora -> v
  gated_weights dense;        // empty in a mixture-of-experts layer
  gated_weights experts;      // a matrix a routed expert that is held
  gated_weights shared;       // the shared one
  packed_weights router;
  packed_weights draft_in;     // empty but in a draft layer
  device_memory router_bias;   // [experts] f32
  device_memory index_k_norm;  // [2][index_dim] f32
};

struct model_weights {
  model_dims model;
  std::uint64_t seed = 0;
  expert_range held;  // routed experts
  std::vector<layer_weights> layers;
};

class weights_cache {
 public:
  // On the current device. Throws cuda_error.
  [[nodiscard]] std::shared_ptr<const model_weights> get(const model_dims& model, std::uint64_t seed,
                                                         expert_range held);

 private:
  recent_weights<model_weights> recent_;
};

}  // namespace ess::ESS_CUDA
