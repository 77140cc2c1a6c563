// Weights in the form that the CPU device computes with; made once for a model and seed, shared by devices.
#pragma once

#include <memory>
#include <vector>

#include "ess_core/device/cpu/kernels/gemm.h"
#include "ess_core/model/dims.h"

namespace ess::cpu {

struct layer_weights {
  packed_matrix q_a, q_b, kv_a, out, index_q, index_k, index_head_weight, gate_up, down;
  std::vector<packed_matrix> k_up;  // per head: nope -> kv_lora
  std::vector<packed_matrix> v_up;  // per head: kv_lora -> v
  std::vector<float> index_k_norm;  // [2][index_dim]
};

struct model_weights {
  model_dims model;
  std::uint64_t seed = 0;
  std::vector<layer_weights> layers;
};

// Keeps the last weights made: points of a run mostly share them.
class weights_cache {
 public:
  [[nodiscard]] std::shared_ptr<const model_weights> get(const model_dims& model, std::uint64_t seed);

 private:
  std::shared_ptr<const model_weights> last_;
};

}  // namespace ess::cpu
