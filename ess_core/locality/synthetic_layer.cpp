#include "ess_core/locality/synthetic_layer.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace ess {
namespace {

constexpr std::int64_t depths_hold_for = 256;  // tokens by which a context grows before they are made anew

// Rows of the stack are read in blocks of a selection's size.
std::int32_t stack_blocks(std::int32_t top_k, token_id context) {
  return (std::max(0, context - top_k) + top_k - 1) / top_k;
}

// Every second position back to the first token is all there is in a short context.
std::int32_t positional_rows(const entrant_rates& rates, std::int32_t top_k, token_id context) {
  return std::clamp(rates.positional, 0, std::max(0, context - top_k));
}

void set_bit(std::vector<std::uint64_t>& bits, token_id at) {
  const auto word = static_cast<std::size_t>(at) / 64;
  if (word >= bits.size()) bits.resize(word + 1);
  bits[word] |= std::uint64_t{1} << (at % 64);
}

void clear_bit(std::vector<std::uint64_t>& bits, token_id at) {
  bits[static_cast<std::size_t>(at) / 64] &= ~(std::uint64_t{1} << (at % 64));
}

}  // namespace

std::int32_t lead_in_steps(std::int32_t top_k, token_id context) { return stack_blocks(top_k, context) + 2; }

synthetic_layer::synthetic_layer(const layer_locality& locality, const stream_locality& stream,
                                 std::int32_t top_k, token_id context, std::uint64_t seed, std::int32_t layer)
    : stream_(stream),
      top_k_(top_k),
      rates_(rates_of(locality, stream, top_k)),
      steepness_(locality.steepness),
      draws_(seed, purpose::locality_steps, static_cast<std::uint32_t>(layer)),
      bursts_(seed, purpose::locality_bursts),
      tokens_(context),
      furthest_(context),
      positional_(positional_rows(rates_, top_k, context)),
      members_wanted_(static_cast<std::size_t>(top_k - stream.sinks - stream.recent - positional_)),
      depths_(rates_, steepness_, top_k, context) {
  make_stack(counter_rng(seed, purpose::locality_stack, static_cast<std::uint32_t>(layer)));
}

// The positions that the selection by position covers: the recent rows and every second one before.
token_id synthetic_layer::reach() const { return stream_.recent + 2 * positional_; }

// Any order is as good as another, as depths do not depend on which rows lie there; but the newest rows come
// last, so that the lead-in selects no row before its token exists.
void synthetic_layer::make_stack(const counter_rng& rng) {
  const token_id first = std::min(stream_.sinks, tokens_);
  const token_id recent = std::max(first, tokens_ - stream_.recent);
  const token_id end = std::max(first, tokens_ - reach());
  for (token_id token = 0; token < first; ++token) set_bit(selected_, token);
  for (token_id token = recent; token < tokens_; ++token) set_bit(selected_, token);
  outside_.resize(static_cast<std::size_t>(end - first));
  std::iota(outside_.begin(), outside_.end(), first);
  const auto newest = static_cast<std::size_t>(lead_in_steps(top_k_, tokens_));
  for (std::size_t i = outside_.size() - std::min(newest, outside_.size()); i > 1; --i) {
    std::swap(outside_[i - 1], outside_[rng.below(i, i)]);
  }
  const auto split =
      outside_.begin() + static_cast<std::ptrdiff_t>(std::min(members_wanted_, outside_.size()));
  members_.assign(outside_.begin(), split);
  outside_.erase(outside_.begin(), split);
  for (const token_id token : members_) set_bit(selected_, token);
}

void synthetic_layer::lead_in(std::int32_t step, std::span<token_id> out) const {
  const std::int32_t blocks = stack_blocks(top_k_, tokens_);
  if (step < blocks) return write_block(static_cast<std::size_t>(step), out);
  write_selection(tokens_ - 1 - (blocks + 1 - step), out);
}

void synthetic_layer::write_block(std::size_t block, std::span<token_id> out) const {
  const std::size_t rows = std::min(out.size(), outside_.size());
  const std::size_t first = std::min(block * out.size(), outside_.size() - rows);
  const auto end = std::copy_n(outside_.begin() + static_cast<std::ptrdiff_t>(first), rows, out.begin());
  std::sort(out.begin(), end);
  std::fill(end, out.end(), token_id{-1});
}

void synthetic_layer::next(std::span<token_id> out) {
  append_token();
  if (tokens_ - depths_.context() >= depths_hold_for) depths_ = {rates_, steepness_, top_k_, tokens_};
  step_draws draws(draws_, tokens_);
  const std::size_t stay_or_leave = members_.size();
  enter(draws);
  leave(draws, stay_or_leave);
  write_selection(tokens_ - 1, out);
}

// A token in the place of a rejected one moves no row: its predecessor has done so.
void synthetic_layer::append_token() {
  if (++tokens_ <= furthest_) return;
  furthest_ = tokens_;
  set_bit(selected_, tokens_ - 1);
  const token_id no_longer_recent = tokens_ - 1 - stream_.recent;
  const token_id out_of_reach = tokens_ - 1 - reach();
  if (positional_ > 0 && no_longer_recent >= stream_.sinks) clear_bit(selected_, no_longer_recent);
  if (out_of_reach < stream_.sinks) return;
  set_bit(selected_, out_of_reach);
  members_.push_back(out_of_reach);
}

void synthetic_layer::enter(step_draws& draws) {
  depths_.draw(draws, outside_.size(), scattered_factor(), drawn_);
  if (drawn_.empty()) return;
  // From the deepest on, so that what stays closes up towards the old end.
  const auto at = [this](std::uint32_t depth) { return outside_.end() - 1 - depth; };
  auto closed = at(drawn_.back());
  for (std::size_t i = drawn_.size(); i-- > 0;) {
    const auto entrant = at(drawn_[i]);
    members_.push_back(*entrant);
    set_bit(selected_, *entrant);
    closed = std::copy(entrant + 1, i > 0 ? at(drawn_[i - 1]) : outside_.end(), closed);
  }
  outside_.erase(closed, outside_.end());
}

// `candidates`: the first so many members; those behind have just entered.
void synthetic_layer::leave(step_draws& draws, std::size_t candidates) {
  for (; members_.size() > members_wanted_ && candidates > 0; --candidates) {
    const std::size_t leaver = draws.below(candidates);
    clear_bit(selected_, members_[leaver]);
    outside_.push_back(members_[leaver]);
    members_[leaver] = members_[candidates - 1];
    members_[candidates - 1] = members_.back();
    members_.pop_back();
  }
}

double synthetic_layer::scattered_factor() const {
  const std::int32_t length = stream_.burst_length;
  if (length == 0) return 1.0;
  const auto every = static_cast<std::uint64_t>(stream_.burst_every);
  const auto period = static_cast<std::uint64_t>(tokens_) / every;
  const auto place = static_cast<std::uint64_t>(tokens_) % every;
  const std::uint64_t start = bursts_.below(every - static_cast<std::uint64_t>(length) + 1, period);
  if (place >= start && place < start + static_cast<std::uint64_t>(length)) return stream_.burst_factor;
  return (stream_.burst_every - length * stream_.burst_factor) / (stream_.burst_every - length);
}

// As the query token at position `query` selects: no later row, and its own rows by position.
void synthetic_layer::write_selection(token_id query, std::span<token_id> out) const {
  std::vector<std::uint64_t> bits = selected_;
  bits.resize(static_cast<std::size_t>(furthest_) / 64 + 1);
  for (token_id token = query + 1; token < furthest_; ++token) clear_bit(bits, token);
  const token_id recent = std::max(query - stream_.recent, -1) + 1;
  for (token_id token = recent; token <= query; ++token) set_bit(bits, token);
  for (std::int32_t i = 0; i < positional_; ++i) set_bit(bits, recent - 2 - 2 * i);
  std::size_t rank = 0;
  for (std::size_t w = 0; w < bits.size(); ++w) {
    for (std::uint64_t left = bits[w]; left != 0; left &= left - 1) {
      out[rank++] = static_cast<token_id>(64 * w) + std::countr_zero(left);
    }
  }
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(rank), out.end(), token_id{-1});
}

}  // namespace ess
