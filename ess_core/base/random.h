// Counter-based random numbers (Philox4x32-10 of Random123): a value is a pure function of
// (seed, purpose, stream, index), so results depend neither on the order of draws nor on threads.
// Conversions to float are integer arithmetic and exact: the same bits on every machine.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ess {

// What a number is drawn for. Values are part of the reproducibility contract: append, never renumber.
enum class purpose : std::uint32_t {
  weights = 1,
  hidden_state = 2,
  latent_rows = 3,
  index_keys = 4,
  arrivals = 5,
  lengths = 6,
  accuracy_sample = 7,
  bootstrap = 8,
  microbenchmark = 9,
  key_salience = 10,
  eviction = 12,
  acceptance = 13,
  locality_steps = 14,
  locality_bursts = 15,
  warm_up = 16,
  locality_stack = 20,
  noise_draws = 21,
};

class counter_rng {
 public:
  constexpr counter_rng(std::uint64_t seed, purpose what, std::uint32_t stream = 0)
      : seed_(seed), purpose_(static_cast<std::uint32_t>(what)), stream_(stream) {}

  [[nodiscard]] std::array<std::uint32_t, 4> block(std::uint64_t index) const;
  // In [0, 1), 53 bits.
  [[nodiscard]] double uniform(std::uint64_t index) const;
  // In [0, bound); bound > 0. Multiply-shift of 64 bits: bias below bound / 2^64.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound, std::uint64_t index) const;
  // Fills `out` with values of a symmetric uniform distribution of variance 1 (16-bit grid, times sqrt 3),
  // eight a block, from block `first_block` on.
  void fill_unit_variance(std::span<float> out, std::uint64_t first_block) const;

 private:
  std::uint64_t seed_;
  std::uint32_t purpose_;
  std::uint32_t stream_;
};

}  // namespace ess
