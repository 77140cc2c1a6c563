// How the rows of a request that the device holds are found and given up, and what that costs in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ess {

enum class pool_kind : std::uint8_t {
  none,         // no pool: every selected row is on the device, or fetched each step
  lru,          // evicts the row whose last use is longest ago, exactly
  fifo,         // the row that came first
  random,       // any row, with equal chance
  clock,        // the first row that was not used since a hand last passed; rows in a circle by slot
  sieve,        // the same, rows in order of arrival and the hand going from the oldest to the newest
  score_aware,  // the row whose latest indexer score is lowest
  hash_scan,    // no map: a step hashes its rows and walks over all slots, as the shipped engines do
};
inline constexpr int pool_kind_count = static_cast<int>(pool_kind::hash_scan) + 1;

// Device memory beside the rows. A header of every pool comes on top.
struct pool_footprint {
  std::int64_t map_entries_per_token = 0;   // 16 bits each: the slot of a token
  std::int64_t tokens_per_slot = 0;         // 32 bits: the token of a slot
  std::int64_t stamps_per_slot = 0;         // 32 bits: when the slot was used
  std::int64_t order_entries_per_slot = 0;  // 16 bits: slots in some order

  [[nodiscard]] constexpr std::int64_t bytes_per_token() const { return 2 * map_entries_per_token; }
  [[nodiscard]] constexpr std::int64_t bytes_per_slot() const {
    return 4 * tokens_per_slot + 4 * stamps_per_slot + 2 * order_entries_per_slot;
  }
};
inline constexpr std::int64_t pool_header_bytes = 32;

// What the weight of a layer's pool is given in, where layers have pools of different sizes.
inline constexpr std::int64_t one_weight = 65'536;

[[nodiscard]] pool_footprint footprint_of(pool_kind kind);
[[nodiscard]] std::string_view to_string(pool_kind kind);
[[nodiscard]] std::optional<pool_kind> parse_pool_kind(std::string_view name);

}  // namespace ess
