// What a cache system contributes to a step: how the rows of the selected tokens get onto the device, and
// what memory that takes. Everything else of a step is the same for all systems.
#pragma once

#include <memory>
#include <string_view>

#include "ess_core/base/units.h"
#include "ess_core/layout/index_key.h"
#include "ess_core/step/pool_kind.h"
#include "ess_core/step/program_builder.h"

namespace ess {

// Rows and tokens that one request occupies from admission to its last token.
struct request_extent {
  std::int64_t index_tokens = 0;  // indexer keys, whole pages
  std::int64_t device_rows = 0;   // rows of `latents`
  std::int64_t staging_rows = 0;
  std::int64_t host_rows = 0;
};

// Tokens of indexer keys, rounded up to whole pages.
[[nodiscard]] constexpr std::int64_t whole_pages(std::int64_t tokens) {
  return (tokens + index_page_tokens - 1) / index_page_tokens * index_page_tokens;
}

enum class latent_home : std::uint8_t { device, host };

class cache_system {
 public:
  virtual ~cache_system() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  // Where the full latent cache lives.
  [[nodiscard]] virtual latent_home home() const = 0;
  // Copies of `latents`: model.layers when every layer keeps its rows, 1 or 2 when layers take turns.
  [[nodiscard]] virtual std::int32_t latent_copies(const model_dims& model) const = 0;
  // `final_tokens`: context length when the request ends, drafts of its last step included.
  [[nodiscard]] virtual request_extent extent(const model_dims& model, token_id final_tokens,
                                              std::int32_t query_tokens) const = 0;
  // True if resident and incoming rows can be attended apart (overlap da needs it).
  [[nodiscard]] virtual bool splits_attention() const { return false; }
  // How the device knows which rows it holds, which has to be set up, warmed and budgeted.
  [[nodiscard]] virtual pool_kind pool() const { return pool_kind::none; }
  [[nodiscard]] bool has_pool() const { return pool() != pool_kind::none; }
  // Whether the pool holds rows that prefill selected last when the first step begins; else it starts empty.
  [[nodiscard]] virtual bool warms_up() const { return has_pool(); }
  // By layer: how large its pool is beside those of the others, in parts of `one_weight`; empty: all alike.
  [[nodiscard]] virtual std::vector<std::uint32_t> layer_weights(const model_dims&) const { return {}; }
  // Rows a request and layer that a step may fetch ahead.
  [[nodiscard]] virtual std::int32_t prefetch_rows() const { return 0; }
  // Tokens that the pool's map of a request covers; 0 without a map.
  [[nodiscard]] std::int64_t map_tokens(token_id final_tokens) const {
    return footprint_of(pool()).map_entries_per_token > 0 ? whole_pages(final_tokens) : 0;
  }
  [[nodiscard]] virtual row_addressing addressing() const = 0;

  // Hooks, called by an overlap builder in the order that it chooses. Each adds any number of operations.
  virtual void begin_layer(program_builder&, std::int32_t /*layer*/, batch_slice) const {}
  virtual void resolve(program_builder&, std::int32_t /*layer*/, batch_slice) const {}
  virtual void store_new_row(program_builder&, std::int32_t /*layer*/, batch_slice) const {}
  virtual void write_back(program_builder&, std::int32_t /*layer*/, batch_slice) const {}
  virtual void fetch(program_builder&, std::int32_t /*layer*/, batch_slice) const {}
  // What may be asked for in the next step, and to fetch it while the link is idle.
  virtual void select_ahead(program_builder&, std::int32_t /*layer*/, batch_slice) const {}
  virtual void fetch_ahead(program_builder&, std::int32_t /*layer*/, batch_slice) const {}
};

}  // namespace ess
