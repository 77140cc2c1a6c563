// What the ids that a seat selected in a step say about rows: how many, and how they follow those before.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ess_core/base/units.h"

namespace ess {

// Ids of one seat and step: [layers][query_tokens][top_k], each list ascending and padded with -1.
struct selection_shape {
  std::int32_t layers = 0;
  std::int32_t query_tokens = 1;
  std::int32_t top_k = 0;

  [[nodiscard]] std::size_t of_layer() const {
    return static_cast<std::size_t>(query_tokens) * static_cast<std::size_t>(top_k);
  }
  [[nodiscard]] std::size_t size() const { return of_layer() * static_cast<std::size_t>(layers); }
};

// Distinct ids over the query tokens of one layer.
[[nodiscard]] std::int64_t union_size(std::span<const token_id> of_layer);

// |K(t-1) and K(t)| over |K(t)|, for selections of neighbouring query tokens of a layer.
struct step_overlap {
  std::int64_t common = 0;
  std::int64_t all = 0;

  [[nodiscard]] std::optional<double> share() const {
    return all > 0 ? std::optional(static_cast<double>(common) / static_cast<double>(all)) : std::nullopt;
  }
};

// Adds the query tokens that a step kept, each beside the one before. `last`: [layers][top_k] of the last
// query token kept before, or empty; it becomes that of this step.
void follow(const selection_shape& shape, std::span<const token_id> now, std::int32_t kept,
            std::vector<token_id>& last, step_overlap& into);

}  // namespace ess
