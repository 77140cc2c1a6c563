#include "ess_core/step/pool_kind.h"

#include <algorithm>
#include <array>

namespace ess {
namespace {

constexpr std::array<std::string_view, pool_kind_count> names = {
    "none", "lru", "fifo", "random", "clock", "sieve", "score_aware", "hash_scan"};

// Map entries a token; tokens, stamps and order entries a slot.
constexpr std::array<pool_footprint, pool_kind_count> footprints = {{
    {0, 0, 0, 0},  // none
    {1, 1, 1, 2},  // lru: a log of uses with room for every slot twice
    {1, 1, 1, 2},  // fifo: the neighbours of each slot
    {1, 1, 1, 0},  // random
    {1, 1, 1, 0},  // clock
    {1, 1, 1, 2},  // sieve: the neighbours of each slot
    {1, 1, 1, 1},  // score_aware: candidates of one step
    {0, 1, 0, 1},  // hash_scan: slots in the order in which they are given up
}};

}  // namespace

pool_footprint footprint_of(pool_kind kind) { return footprints.at(static_cast<std::size_t>(kind)); }

std::string_view to_string(pool_kind kind) { return names.at(static_cast<std::size_t>(kind)); }

std::optional<pool_kind> parse_pool_kind(std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<pool_kind>(found - names.begin());
}

}  // namespace ess
