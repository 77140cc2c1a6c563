#include "ess_core/cache/hash_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <vector>

namespace ess::hash_scan {
namespace {

constexpr token_id nobody = -1;       // the token of a free slot
constexpr std::int32_t no_row = -1;   // of a token that the step does not ask for
constexpr row_location nowhere = -2;  // of a row that no slot holds

// Numbers the distinct tokens of a step in order of appearance. Open addressing, at most a quarter full.
class row_numbers {
 public:
  void begin(std::size_t most_tokens) {
    const std::size_t size = std::bit_ceil(4 * (most_tokens + 1));
    shift_ = 32 - std::countr_zero(size);
    token_at_.assign(size, nobody);
    row_at_.assign(size, no_row);
    tokens_.clear();
  }
  std::int32_t insert(token_id token) {
    const std::size_t place = place_of(token);
    if (token_at_[place] == nobody) {
      token_at_[place] = token;
      row_at_[place] = count();
      tokens_.push_back(token);
    }
    return row_at_[place];
  }
  [[nodiscard]] std::int32_t find(token_id token) const { return row_at_[place_of(token)]; }
  [[nodiscard]] std::int32_t count() const { return static_cast<std::int32_t>(tokens_.size()); }
  [[nodiscard]] token_id token(std::int32_t row) const { return tokens_[static_cast<std::size_t>(row)]; }

 private:
  // Where the token is, or could be. Fibonacci hashing (Knuth, TAOCP 3, 6.4), then linear probing. The
  // minimum is 0 at the token and at a free place: which of them ends the search is a toss-up, not worth a
  // branch.
  [[nodiscard]] std::size_t place_of(token_id token) const {
    std::size_t place = (static_cast<std::uint32_t>(token) * 2654435769u) >> shift_;
    while (std::min<std::uint32_t>(token_at_[place] ^ token, token_at_[place] ^ nobody) != 0)
      place = (place + 1) & (token_at_.size() - 1);
    return place;
  }

  int shift_ = 0;
  std::vector<token_id> token_at_;    // by place
  std::vector<std::int32_t> row_at_;  // by place
  std::vector<token_id> tokens_;      // by row
};

// Kept from step to step for its memory alone.
struct scratch {
  row_numbers rows;
  std::vector<row_location> where;   // by row, from `no_row` on
  std::vector<std::int32_t> row_of;  // by place in the LRU array
  std::vector<slot_id> stale, hits, admitted;
};

class step {
 public:
  step(scratch& s, const pool_view& pool, const resolve_input& in, resolve_output& out)
      : s_(s), pool_(pool), in_(in), out_(out) {
    s_.row_of.resize(pool.order.size());
    s_.stale.resize(pool.order.size());
    s_.hits.resize(pool.order.size());
    s_.admitted.clear();
  }

  void run() {
    number_rows();
    walk_over_slots();
    place_rows();
    out_.ahead = {};  // nothing comes ahead
    where(no_row) = no_location;
    for (row_location& location : out_.locations) location = where(location);
    rewrite_order();
  }

 private:
  [[nodiscard]] row_location& where(std::int32_t row) {
    return s_.where[static_cast<std::size_t>(row - no_row)];
  }

  // New tokens come first. `locations` holds the rows' numbers meanwhile.
  void number_rows() {
    s_.rows.begin(in_.selected.size() + static_cast<std::size_t>(in_.new_tokens));
    for (std::int32_t n = 0; n < in_.new_tokens; ++n) s_.rows.insert(in_.first_new + n);
    std::array<bool, max_query_tokens> asked_new{};
    for (std::size_t i = 0; i < in_.selected.size(); ++i) {
      const std::int32_t row = in_.selected[i] < 0 ? no_row : s_.rows.insert(in_.selected[i]);
      out_.locations[i] = row;
      if (row != no_row && row < in_.new_tokens) asked_new[static_cast<std::size_t>(row)] = true;
    }
    s_.where.assign(static_cast<std::size_t>(s_.rows.count() - no_row), nowhere);
    out_.asked = s_.rows.count() - in_.new_tokens +
                 static_cast<std::int32_t>(std::count(asked_new.begin(), asked_new.end(), true));
  }

  // Asks the hash about the row of every slot, then parts stale rows from hits.
  void walk_over_slots() {
    for (std::size_t i = 0; i < pool_.order.size(); ++i)
      s_.row_of[i] = s_.rows.find(pool_.token_of[pool_.order[i]]);
    std::size_t stale = 0;
    std::size_t hits = 0;
    for (std::size_t i = 0; i < pool_.order.size(); ++i) {
      const std::int32_t row = s_.row_of[i];
      const slot_id slot = pool_.order[i];
      where(row) = slot;
      s_.stale[stale] = s_.hits[hits] = slot;
      stale += row == no_row ? 1 : 0;
      hits = i + 1 - stale;
    }
    s_.stale.resize(stale);
    s_.hits.resize(hits);
    for (std::int32_t n = 0; n < in_.new_tokens; ++n) {
      if (where(n) != nowhere) free_draft(static_cast<slot_id>(where(n)));
    }
  }

  // A slot that holds a new token holds the rejected draft that it replaces.
  void free_draft(slot_id slot) {
    std::erase(s_.hits, slot);
    freed_[freed_count_++] = slot;
  }

  // New tokens take slots first, then the later misses; the earliest misses go to staging.
  void place_rows() {
    const auto room = static_cast<std::int32_t>(pool_.order.size() - s_.hits.size());
    const std::int32_t missed = s_.rows.count() - in_.new_tokens - static_cast<std::int32_t>(s_.hits.size());
    const std::int32_t surplus = missed + in_.new_tokens - room;
    out_.missed = 0;
    for (std::int32_t row = in_.new_tokens; row < s_.rows.count(); ++row) {
      if (where(row) != nowhere) continue;
      const row_location location = out_.missed < surplus ? next_staging() : admit(s_.rows.token(row));
      out_.misses[static_cast<std::size_t>(out_.missed++)] = {s_.rows.token(row), location};
      where(row) = location | incoming_flag;
    }
    for (std::int32_t n = 0; n < in_.new_tokens; ++n) {
      where(n) = n < in_.new_tokens - room ? next_staging() : admit(in_.first_new + n);
      pool_.header->new_rows[static_cast<std::size_t>(n)] = where(n);
    }
  }

  row_location next_staging() { return static_cast<row_location>(pool_.order.size()) + staged_++; }

  // New tokens are as many as rejected drafts at least, and come before misses where room is short: no freed
  // slot outlasts the step.
  slot_id admit(token_id token) {
    const slot_id slot = freed_count_ > 0 ? freed_[--freed_count_] : s_.stale[given_up_++];
    if (pool_.token_of[slot] == nobody) ++pool_.header->used;
    pool_.token_of[slot] = token;
    s_.admitted.push_back(slot);
    return slot;
  }

  void rewrite_order() {
    auto to = std::copy(s_.stale.begin() + static_cast<std::ptrdiff_t>(given_up_), s_.stale.end(),
                        pool_.order.begin());
    to = std::copy(s_.admitted.begin(), s_.admitted.end(), to);
    std::copy(s_.hits.begin(), s_.hits.end(), to);
  }

  scratch& s_;
  const pool_view& pool_;
  const resolve_input& in_;
  resolve_output& out_;
  std::size_t given_up_ = 0;  // of the stale rows
  std::array<slot_id, max_query_tokens> freed_{};
  std::size_t freed_count_ = 0;
  row_location staged_ = 0;
};

}  // namespace

void clear(const pool_view& pool) {
  std::fill(pool.token_of.begin(), pool.token_of.end(), nobody);
  std::iota(pool.order.begin(), pool.order.end(), slot_id{0});
}

void resolve(const pool_view& pool, const resolve_input& in, resolve_output& out) {
  static thread_local scratch of_this_thread;
  step(of_this_thread, pool, in, out).run();
}

}  // namespace ess::hash_scan
