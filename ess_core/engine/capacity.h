// From a system and a number of requests to memory, and from a memory budget to the largest number of
// requests.
#pragma once

#include "ess_core/device/device.h"
#include "ess_core/step/cache_system.h"

namespace ess {

// How the cache of a prefilled request reaches a system that keeps it on the host.
enum class hand_over_way : std::uint8_t {
  to_host,     // it is put there by others, as shipped engines do; the pool is warmed over the link
  via_device,  // it arrives on the device, the pool takes its rows there, and all goes to the host over the
               // link
};

struct memory_budgets {
  byte_count device{0};  // 0: no limit
  byte_count host{0};
};

// What decides the size of a batch's memory.
struct batch_plan {
  model_dims model;
  std::int32_t query_tokens = 1;
  token_id final_tokens = 0;        // of the longest request, its last kept token included
  token_id shortest_tokens = 0;     // of the shortest; 0: all are of one length
  std::int32_t host_row_pitch = 0;  // 0: rows follow each other
  byte_count weights{0};            // 0: the whole model in f32
  std::int32_t ranks = 1;           // that the routed experts are spread over
  hand_over_way hand_over = hand_over_way::to_host;
};

// Room for `requests` requests of the full length. `seats` >= requests: shorter requests may share that room.
[[nodiscard]] memory_layout make_layout(const batch_plan& plan, const cache_system& system,
                                        std::int32_t requests, std::int32_t seats);
// The most requests of the full length that fit; 0 if not even one does. At most `limit`.
[[nodiscard]] std::int32_t largest_batch(const batch_plan& plan, const cache_system& system,
                                         const memory_budgets& budgets, std::int32_t limit);

}  // namespace ess
