// Pools as their definitions in words: lists of tokens, searched from end to end.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "ess_core/cache/sparse_pool.h"

namespace ess::test {

using tokens = std::vector<token_id>;

inline bool contains(const tokens& in, token_id what) {
  return std::find(in.begin(), in.end(), what) != in.end();
}

// Which row leaves. `used`: the rows of the running step.
class naive_policy {
 public:
  virtual ~naive_policy() = default;
  virtual void forget(token_id token) = 0;  // a rejected draft leaves
  virtual void hit(token_id token) = 0;     // in any order
  virtual token_id evict(const tokens& used, const std::vector<float>& scores) = 0;  // removes it
  virtual void admit(token_id token) = 0;
  virtual void use(token_id /*token*/) {}  // hits and admitted rows, in order of use
  virtual void end_step(token_id /*first_new*/) {}
  [[nodiscard]] virtual tokens held() const = 0;
};

[[nodiscard]] std::unique_ptr<naive_policy> make_naive_policy(pool_kind kind, counter_rng draws,
                                                              std::uint64_t first_draw);

struct naive_result {
  tokens missed, staged;
  std::size_t asked = 0;
};

[[nodiscard]] naive_result naive_step(naive_policy& policy, std::size_t capacity, const resolve_input& in);

}  // namespace ess::test
