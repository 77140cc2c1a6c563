// Pools by layer: rows go where the model of locality says that they save most.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ess_core/device/sim/index_stream.h"
#include "ess_core/locality/miss_curve.h"

namespace harness {

class layer_shares {
 public:
  // Draws a request of its own from the model, none of those that are simulated: shares are set before the
  // requests are known.
  layer_shares(const ess::sim::stream_source& locality, std::int32_t layers, std::int32_t top_k,
               ess::token_id context, std::int32_t query_tokens);

  // As the setting pool_weights takes them: pools that miss least with as many rows in all as pools of
  // `uniform` rows. Nothing where the layers' largest steps need more, or where the context is too short for
  // the model.
  [[nodiscard]] std::optional<std::string> weights(std::int64_t uniform) const;

 private:
  std::vector<ess::miss_curve> curves_;  // [layers]; empty: the context is too short
};

}  // namespace harness
