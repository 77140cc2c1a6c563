#include "ess_core/cache/tests/naive_pool.h"

#include <algorithm>
#include <utility>

namespace ess::test {
namespace {

// Of those that are not used.
token_id take_first(tokens& rows, const tokens& used) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](token_id t) { return !contains(used, t); });
  const token_id token = *found;
  rows.erase(found);
  return token;
}

// Rows in a list whose front leaves first; LRU moves a row to the back when it is used.
class naive_queue final : public naive_policy {
 public:
  explicit naive_queue(bool moves) : moves_(moves) {}
  void forget(token_id token) override { std::erase(rows_, token); }
  void hit(token_id) override {}
  token_id evict(const tokens& used, const std::vector<float>&) override { return take_first(rows_, used); }
  void admit(token_id token) override { rows_.push_back(token); }
  void use(token_id token) override {
    if (moves_) std::erase(rows_, token), rows_.push_back(token);
  }
  [[nodiscard]] tokens held() const override { return rows_; }

 private:
  bool moves_;
  tokens rows_;
};

// Rows in places; a newcomer takes the place that was left last.
class naive_places : public naive_policy {
 public:
  void forget(token_id token) override {
    leave(static_cast<std::size_t>(std::find(rows_.begin(), rows_.end(), token) - rows_.begin()));
  }
  void hit(token_id) override {}
  void admit(token_id token) override {
    if (left_.empty()) {
      rows_.push_back(token);
      return;
    }
    rows_[left_.back()] = token;
    left_.pop_back();
  }
  [[nodiscard]] tokens held() const override {
    tokens out = rows_;
    std::erase(out, nobody);
    return out;
  }

 protected:
  token_id leave(std::size_t place) {
    left_.push_back(place);
    return std::exchange(rows_[place], nobody);
  }
  tokens rows_;

 private:
  static constexpr token_id nobody = -1;
  std::vector<std::size_t> left_;
};

class naive_random final : public naive_places {
 public:
  naive_random(counter_rng draws, std::uint64_t first) : draws_(draws), next_(first) {}
  token_id evict(const tokens& used, const std::vector<float>&) override {
    std::size_t place = 0;
    for (int i = 0; i < 16; ++i) {
      place = draws_.below(rows_.size(), next_++);
      if (!contains(used, rows_[place])) return leave(place);
    }
    while (contains(used, rows_[place])) place = (place + 1) % rows_.size();
    return leave(place);
  }

 private:
  counter_rng draws_;
  std::uint64_t next_;
};

class naive_clock final : public naive_places {
 public:
  void forget(token_id token) override {
    naive_places::forget(token);
    std::erase(spared_, token);
  }
  void hit(token_id token) override { spared_.push_back(token); }
  void admit(token_id token) override {
    naive_places::admit(token);
    spared_.push_back(token);
  }
  token_id evict(const tokens& used, const std::vector<float>&) override {
    for (;; hand_ = (hand_ + 1) % rows_.size()) {
      const token_id token = rows_[hand_];
      if (contains(used, token) || std::erase(spared_, token) > 0) continue;
      const std::size_t place = hand_;
      hand_ = (hand_ + 1) % rows_.size();
      return leave(place);
    }
  }

 private:
  std::size_t hand_ = 0;
  tokens spared_;
};

class naive_sieve final : public naive_policy {
 public:
  void forget(token_id token) override {
    const auto place = static_cast<std::size_t>(std::find(rows_.begin(), rows_.end(), token) - rows_.begin());
    std::erase(spared_, token);
    remove(place);
  }
  void hit(token_id token) override { spared_.push_back(token); }
  void admit(token_id token) override { rows_.push_back(token); }
  token_id evict(const tokens& used, const std::vector<float>&) override {
    for (;; ++hand_) {
      if (hand_ >= rows_.size()) hand_ = 0;
      const token_id token = rows_[hand_];
      if (contains(used, token) || std::erase(spared_, token) > 0) continue;
      remove(hand_);
      return token;
    }
  }
  [[nodiscard]] tokens held() const override { return rows_; }

 private:
  void remove(std::size_t place) {
    rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(place));
    if (place < hand_) --hand_;
    // Past the newest the hand starts over, even if others arrive there meanwhile.
    if (hand_ == rows_.size()) hand_ = 0;
  }

  std::size_t hand_ = 0;
  tokens rows_, spared_;
};

class naive_scores final : public naive_policy {
 public:
  void forget(token_id token) override { std::erase(rows_, token); }
  void hit(token_id) override {}
  void admit(token_id token) override { rows_.push_back(token); }
  token_id evict(const tokens& used, const std::vector<float>& scores) override {
    token_id worst = -1;
    for (const token_id t : rows_) {
      if (contains(used, t)) continue;
      const float mine = scores[static_cast<std::size_t>(t)];
      const float its = worst < 0 ? 0 : scores[static_cast<std::size_t>(worst)];
      if (worst < 0 || mine < its || (mine == its && t > worst)) worst = t;
    }
    std::erase(rows_, worst);
    return worst;
  }
  [[nodiscard]] tokens held() const override { return rows_; }

 private:
  tokens rows_;
};

// Rows in a list whose front leaves first, sorted anew in every step: rows that it does not use, missed rows
// in order of use, new tokens, hits; each part otherwise in the order of before.
class naive_rewrite final : public naive_policy {
 public:
  void forget(token_id token) override { std::erase(rows_, token); }
  void hit(token_id token) override { hits_.push_back(token); }
  token_id evict(const tokens& used, const std::vector<float>&) override { return take_first(rows_, used); }
  void admit(token_id token) override {
    rows_.push_back(token);
    admitted_.push_back(token);
  }
  void end_step(token_id first_new) override {
    const auto part = [&](token_id t) {
      return contains(hits_, t) ? 3 : !contains(admitted_, t) ? 0 : t < first_new ? 1 : 2;
    };
    std::stable_sort(rows_.begin(), rows_.end(), [&](token_id a, token_id b) { return part(a) < part(b); });
    hits_.clear();
    admitted_.clear();
  }
  [[nodiscard]] tokens held() const override { return rows_; }

 private:
  tokens rows_, hits_, admitted_;
};

}  // namespace

std::unique_ptr<naive_policy> make_naive_policy(pool_kind kind, counter_rng draws, std::uint64_t first_draw) {
  switch (kind) {
    case pool_kind::fifo:
      return std::make_unique<naive_queue>(false);
    case pool_kind::random:
      return std::make_unique<naive_random>(draws, first_draw);
    case pool_kind::clock:
      return std::make_unique<naive_clock>();
    case pool_kind::sieve:
      return std::make_unique<naive_sieve>();
    case pool_kind::score_aware:
      return std::make_unique<naive_scores>();
    case pool_kind::hash_scan:
      return std::make_unique<naive_rewrite>();
    default:
      return std::make_unique<naive_queue>(true);
  }
}

naive_result naive_step(naive_policy& policy, std::size_t capacity, const resolve_input& in) {
  naive_result r;
  tokens fresh, asked, used;
  for (std::int32_t n = 0; n < in.new_tokens; ++n) fresh.push_back(in.first_new + n);
  for (const token_id draft : fresh) {
    if (contains(policy.held(), draft)) policy.forget(draft);
  }
  const tokens before = policy.held();
  for (const token_id t : in.selected) {
    if (t < 0 || contains(asked, t)) continue;
    asked.push_back(t);
    if (contains(fresh, t)) continue;
    (contains(before, t) ? used : r.missed).push_back(t);
  }
  r.asked = asked.size();
  for (const token_id t : used) policy.hit(t);
  const std::size_t room = capacity - used.size();
  const std::size_t wanted = r.missed.size() + fresh.size();
  for (std::size_t i = 0; i + room < wanted && i < r.missed.size(); ++i) r.staged.push_back(r.missed[i]);
  for (std::size_t i = 0; i + room < fresh.size(); ++i) r.staged.push_back(fresh[i]);

  const std::vector<float> scores(in.scores.begin(), in.scores.end());
  const auto take = [&](token_id t) {
    if (t < 0 || contains(r.staged, t)) return;
    if (!contains(policy.held(), t)) {
      if (policy.held().size() == capacity) (void)policy.evict(used, scores);
      policy.admit(t);
      used.push_back(t);
    }
    policy.use(t);
  };
  const std::size_t top_k = in.selected.size() / static_cast<std::size_t>(in.query_tokens);
  for (std::size_t q = 0; q < static_cast<std::size_t>(in.query_tokens); ++q) {
    if (q < fresh.size()) take(fresh[q]);
    for (std::size_t i = 0; i < top_k; ++i) take(in.selected[q * top_k + i]);
  }
  policy.end_step(in.first_new);
  return r;
}

}  // namespace ess::test
