// Weights of the model and seed asked for last, shared by devices: points of a run mostly share them. A
// rank's references have all experts, so there may be two.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ess_core/model/dims.h"

namespace ess {

// Weights: {model, seed, held (expert_range), layers}.
template <class Weights>
class recent_weights {
 public:
  // fill(weights) makes the layers of weights that are not kept.
  template <class Fill>
  [[nodiscard]] std::shared_ptr<const Weights> get(const model_dims& model, std::uint64_t seed,
                                                   expert_range held, const Fill& fill) {
    std::erase_if(kept_, [&](const auto& one) { return one->model != model || one->seed != seed; });
    for (const auto& one : kept_)
      if (one->held == held) return one;
    auto made = std::make_shared<Weights>(Weights{.model = model, .seed = seed, .held = held, .layers = {}});
    fill(*made);
    kept_.push_back(made);
    return made;
  }

 private:
  std::vector<std::shared_ptr<const Weights>> kept_;
};

}  // namespace ess
