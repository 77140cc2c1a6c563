// A pool with memory of its own, which may hold anything before it is reset.
#pragma once

#include <vector>

#include "ess_core/cache/sparse_pool.h"

namespace ess {

struct owned_pool {
  owned_pool(pool_kind what, std::size_t context, std::size_t slots)
      : kind(what),
        slot_of(context * of().map_entries_per_token),
        token_of(slots * of().tokens_per_slot),
        stamp(slots * of().stamps_per_slot),
        order(slots * of().order_entries_per_slot) {
    poison(0);
  }

  // As if another request had left it.
  void poison(std::uint16_t with) {
    header = {.step = with, .begin = with, .end = with, .used = with, .hand = with};
    std::fill(slot_of.begin(), slot_of.end(), with);
    std::fill(token_of.begin(), token_of.end(), with);
    std::fill(stamp.begin(), stamp.end(), with * 0x10001u);
    std::fill(order.begin(), order.end(), with);
    reset(view());
  }
  pool_view view() { return {kind, &header, slot_of, token_of, stamp, order}; }

  pool_kind kind;
  pool_header header;
  std::vector<slot_id> slot_of;
  std::vector<token_id> token_of;
  std::vector<std::uint32_t> stamp;
  std::vector<slot_id> order;

 private:
  struct sizes {
    std::size_t map_entries_per_token, tokens_per_slot, stamps_per_slot, order_entries_per_slot;
  };
  [[nodiscard]] sizes of() const {
    const pool_footprint f = footprint_of(kind);
    return {static_cast<std::size_t>(f.map_entries_per_token), static_cast<std::size_t>(f.tokens_per_slot),
            static_cast<std::size_t>(f.stamps_per_slot), static_cast<std::size_t>(f.order_entries_per_slot)};
  }
};

}  // namespace ess
