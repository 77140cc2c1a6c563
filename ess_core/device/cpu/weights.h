// Weights in the form that the CPU device computes with; made once for a model and seed, shared by devices.
#pragma once

#include <memory>
#include <vector>

#include "ess_core/device/cpu/kernels/gemm.h"
#include "ess_core/device/recent_weights.h"
#include "ess_core/model/dims.h"

namespace ess::cpu {

// A gated feed-forward.
struct gated_weights {
  packed_matrix gate_up, down;
};

struct layer_weights {
  packed_matrix q_a, q_b, kv_a, out, index_q, index_k, index_head_weight;
  gated_weights dense;     // empty in a mixture-of-experts layer
  packed_matrix draft_in;  // empty but in a draft layer
  packed_matrix router;
  std::vector<float> router_bias;
  // Routed, then the shared one; none in a dense layer, and empty ones where another rank has them.
  std::vector<gated_weights> experts;
  std::vector<packed_matrix> k_up;  // per head: nope -> kv_lora
  std::vector<packed_matrix> v_up;  // per head: kv_lora -> v
  std::vector<float> index_k_norm;  // [2][index_dim]
};

struct model_weights {
  model_dims model;
  std::uint64_t seed = 0;
  expert_range held;  // routed experts
  std::vector<layer_weights> layers;
};

class weights_cache {
 public:
  [[nodiscard]] std::shared_ptr<const model_weights> get(const model_dims& model, std::uint64_t seed,
                                                         expert_range held);

 private:
  recent_weights<model_weights> recent_;
};

}  // namespace ess::cpu
