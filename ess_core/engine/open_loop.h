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

// Of a step that keeps `kept` of its query tokens: what is kept is attempt 0, whatever was drafted before.
// The same position drafted again comes earlier in its step, so no two attempts at it are alike.
[[nodiscard]] constexpr std::int32_t attempt_of(std::int32_t query, std::int32_t kept) {
  return query < kept ? 0 : query;
}

// Positions between two knots of the slow and of the fast part; the part turns from one random vector into
// the next.
inline constexpr token_id slow_period = 64;
inline constexpr token_id fast_period = 6;

// The hidden state that enters the first layer: four equal blocks, each of unit variance: fixed per request,
// slow, fast, noise (ess_core/model/weights.h, query_mix). out: [hidden], hidden a multiple of 32.
void fill_hidden_state(const token_source& source, std::span<float> out);

}  // namespace ess
