#include "ess_core/locality/optimal.h"

#include <limits>
#include <queue>
#include <stdexcept>
#include <utility>

namespace ess {
namespace {

constexpr std::int32_t never_again = std::numeric_limits<std::int32_t>::max();

// Distinct rows of each step, new tokens included, and when each is used next.
struct use {
  token_id token;
  std::int32_t next;  // step, or never_again
};

class future {
 public:
  explicit future(const layer_replay& replay) : first_of_(1), last_seen_(replay.tokens(), -1) {
    for (std::int32_t step = 0; step < replay.steps(); ++step) collect(replay, step);
    link_backwards();
  }

  [[nodiscard]] std::span<const use> step(std::int32_t s) const {
    const auto at = static_cast<std::size_t>(s);
    return std::span(uses_).subspan(first_of_[at], first_of_[at + 1] - first_of_[at]);
  }

 private:
  void collect(const layer_replay& replay, std::int32_t step) {
    for (std::int32_t query = 0; query < replay.query_tokens(); ++query) {
      add(replay.first_new(step) + query, step);
      for (const token_id token : replay.selected(step, query)) add(token, step);
    }
    first_of_.push_back(uses_.size());
  }

  void add(token_id token, std::int32_t step) {
    std::int32_t& seen = last_seen_[static_cast<std::size_t>(token)];
    if (seen != step) uses_.push_back({token, never_again});
    seen = step;
  }

  void link_backwards() {
    std::vector<std::int32_t> next(last_seen_.size(), never_again);
    for (std::size_t s = first_of_.size() - 1; s-- > 0;) {
      for (std::size_t i = first_of_[s]; i < first_of_[s + 1]; ++i) {
        uses_[i].next =
            std::exchange(next[static_cast<std::size_t>(uses_[i].token)], static_cast<std::int32_t>(s));
      }
    }
  }

  std::vector<use> uses_;
  std::vector<std::size_t> first_of_;  // [steps + 1] where a step's uses begin
  std::vector<std::int32_t> last_seen_;
};

class optimal_pool {
 public:
  optimal_pool(std::size_t tokens, std::int64_t rows) : rows_(rows), next_use_(tokens, absent) {}

  // Returns how many of the step's rows, new tokens (from `first_new` on) excepted, were not there.
  std::int64_t run(std::span<const use> step, token_id first_new) {
    std::int64_t missed = 0;
    for (const use& u : step) {
      std::int32_t& held = next_use_[static_cast<std::size_t>(u.token)];
      if (held == absent) {
        ++used_;
        missed += u.token < first_new ? 1 : 0;
      }
      held = this_step;
    }
    make_room();
    for (const use& u : step) {
      next_use_[static_cast<std::size_t>(u.token)] = u.next;
      victims_.push({u.token, u.next});
    }
    return missed;
  }

 private:
  static constexpr std::int32_t absent = -1;
  static constexpr std::int32_t this_step = -2;

  struct nearer {
    bool operator()(const use& a, const use& b) const { return a.next < b.next; }
  };

  // Entries of rows that were used or evicted since they were pushed are stale.
  void make_room() {
    while (used_ > rows_) {
      if (victims_.empty()) throw std::logic_error("the rows of a step exceed the pool");
      const use farthest = victims_.top();
      victims_.pop();
      std::int32_t& held = next_use_[static_cast<std::size_t>(farthest.token)];
      if (held != farthest.next) continue;
      held = absent;
      --used_;
    }
  }

  std::int64_t rows_;
  std::int64_t used_ = 0;
  std::vector<std::int32_t> next_use_;  // [tokens] of rows in the pool
  std::priority_queue<use, std::vector<use>, nearer> victims_;
};

}  // namespace

std::int64_t optimal_misses(const index_trace& trace, std::int32_t layer, std::int64_t pool_rows,
                            const replay_options& options) {
  const layer_replay replay(trace, layer, options.query_tokens);
  const future uses(replay);
  optimal_pool pool(replay.tokens(), pool_rows);
  std::int64_t misses = 0;
  for (std::int32_t step = 0; step < replay.steps(); ++step) {
    const std::int64_t missed = pool.run(uses.step(step), replay.first_new(step));
    if (step >= options.skip_steps) misses += missed;
  }
  return misses;
}

}  // namespace ess
