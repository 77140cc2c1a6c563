// Tokens by recency of use; answers how many distinct tokens were used since.
//
// Each use takes the next place in a bit map and gives up the token's earlier one, so a stack distance is the
// number of bits from a token's place on. Counts per word are summed once a step, since distances are asked
// against the order that the step found: a distance is then one lookup and one popcount. When places run
// out, the bits are packed.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "ess_core/base/units.h"

namespace ess {

class use_order {
 public:
  explicit use_order(std::size_t tokens)
      : place_of_(tokens, nowhere),
        words_(4 * (tokens / 64 + 1)),
        newer_(words_.size()),
        token_at_(64 * words_.size()) {}

  // Freezes the order that `distance` answers for.
  void begin_step() {
    std::uint32_t sum = 0;
    for (std::size_t w = (next_ + 63) / 64; w-- > 0;) {
      newer_[w] = sum;
      sum += static_cast<std::uint32_t>(std::popcount(words_[w]));
    }
  }

  // 1 for the token used last; 0 if the token was never used. No use() may come between begin_step and this.
  [[nodiscard]] std::uint32_t distance(token_id token) const {
    const std::uint32_t place = place_of_[static_cast<std::size_t>(token)];
    if (place == nowhere) return 0;
    return newer_[place / 64] + static_cast<std::uint32_t>(std::popcount(words_[place / 64] >> (place % 64)));
  }

  void use(token_id token) {
    if (next_ == token_at_.size()) pack();
    std::uint32_t& place = place_of_[static_cast<std::size_t>(token)];
    if (place != nowhere) words_[place / 64] &= ~(std::uint64_t{1} << (place % 64));
    put(token, next_++);
  }

 private:
  static constexpr std::uint32_t nowhere = 0xffff'ffff;

  void put(token_id token, std::size_t place) {
    place_of_[static_cast<std::size_t>(token)] = static_cast<std::uint32_t>(place);
    token_at_[place] = token;
    words_[place / 64] |= std::uint64_t{1} << (place % 64);
  }

  // At least three quarters of the places are free afterwards: there are four for each token.
  void pack() {
    next_ = 0;
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t left = std::exchange(words_[w], 0); left != 0; left &= left - 1) {
        put(token_at_[64 * w + static_cast<std::size_t>(std::countr_zero(left))], next_++);
      }
    }
  }

  std::vector<std::uint32_t> place_of_;  // [tokens]
  std::vector<std::uint64_t> words_;     // a bit a place, set where a token's last use is
  std::vector<std::uint32_t> newer_;     // [words] bits in later words
  std::vector<token_id> token_at_;       // [places]
  std::size_t next_ = 0;
};

}  // namespace ess
