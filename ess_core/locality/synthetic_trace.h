// A whole trace from the synthetic model.
#pragma once

#include <cstdint>
#include <vector>

#include "ess_core/locality/index_trace.h"
#include "ess_core/locality/layer_locality.h"

namespace ess {

enum class lead_in : std::uint8_t { none, whole_stack };

struct synthetic_request {
  stream_locality stream;
  std::vector<layer_locality> layers;
  std::int32_t first_layer =
      0;  // number of layers[0] in its model: a layer's draws do not depend on which others there are
  std::int32_t top_k = 2048;
  token_id context = 32'768;  // tokens before the first step
  std::int32_t steps = 256;   // query tokens after the lead-in
  lead_in start = lead_in::whole_stack;
  std::uint64_t seed = 1;
};

// Steps of the trace before those asked for.
[[nodiscard]] std::int32_t lead_in_steps(const synthetic_request& request);

// Layer i of the trace is request.layers[i]. Errors: what check_locality and check_shape refuse.
[[nodiscard]] trace_result<index_trace> synthesize(const synthetic_request& request);

}  // namespace ess
