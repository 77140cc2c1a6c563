// The inputs of a step: open loop, a pure function of (seed, request, position, attempt), never of earlier
// outputs.
#pragma once

#include <cstdint>
#include <span>

#include "ess_core/base/units.h"

namespace ess {

struct token_source {
  std::uint64_t seed = 0;
  request_id request = 0;
  token_id position = 0;
  std::int32_t attempt = 0;  // a rejected draft and its replacement differ
};

// Positions between two knots of the slow and of the fast part; the part turns from one random vector into
// the next.
inline constexpr token_id slow_period = 64;
inline constexpr token_id fast_period = 6;

// The hidden state that enters the first layer: four equal blocks, each of unit variance: fixed per request,
// slow, fast, noise (ess_core/model/weights.h, query_mix). out: [hidden], hidden a multiple of 32.
void fill_hidden_state(const token_source& source, std::span<float> out);

}  // namespace ess
