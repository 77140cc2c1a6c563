// Draws how deep the entrants of a query token lie among the rows that are not selected.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ess_core/base/random.h"
#include "ess_core/base/units.h"
#include "ess_core/locality/layer_locality.h"

namespace ess {

// 32-bit draws of one step of one layer, in order.
class step_draws {
 public:
  step_draws(const counter_rng& rng, std::int64_t step)
      : rng_(rng), block_(static_cast<std::uint64_t>(step) << 32) {}

  std::uint32_t next() {
    if (at_ == 4) words_ = rng_.block(block_++), at_ = 0;
    return words_[at_++];
  }
  // In [0, bound); bias below bound / 2^32.
  std::size_t below(std::size_t bound) {
    return static_cast<std::size_t>(std::uint64_t{next()} * bound >> 32);
  }

 private:
  counter_rng rng_;
  std::uint64_t block_;
  std::array<std::uint32_t, 4> words_{};
  std::size_t at_ = 4;
};

class entrant_depths {
 public:
  // For contexts of about `context` tokens.
  entrant_depths(const entrant_rates& rates, double steepness, std::int32_t top_k, token_id context);

  [[nodiscard]] token_id context() const { return context_; }

  // Distinct depths below `outside`, ascending; 0 is the row used last. `scattered_factor` is that of a
  // burst.
  void draw(step_draws& draws, std::size_t outside, double scattered_factor,
            std::vector<std::uint32_t>& out) const;

 private:
  static constexpr std::size_t cells = 256;

  token_id context_;
  double scattered_;
  // Cells widen with depth. Expected neighbours of the cut above a cell, times 2^32: an integer, so that
  // from here on nothing rounds.
  std::array<std::uint64_t, cells + 1> depth_{};
  std::array<std::uint64_t, cells + 1> neighbours_{};
};

}  // namespace ess
