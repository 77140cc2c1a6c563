// An index stream of one layer of one request, drawn from the synthetic model.
//
// The rows that are not selected stand in the order of their last use, as in an LRU stack (Mattson et al.,
// IBM Systems Journal 9(2), 1970). A query token takes rows out of that order at drawn depths and puts rows
// that leave the selection, drawn with equal chance, on its top. So what an LRU pool of any size misses
// follows from the distribution of depths.
#pragma once

#include <span>
#include <vector>

#include "ess_core/locality/entrant_depths.h"
#include "ess_core/locality/layer_locality.h"

namespace ess {

// Steps of the lead-in (synthetic_layer::lead_in).
[[nodiscard]] std::int32_t lead_in_steps(std::int32_t top_k, token_id context);

class synthetic_layer {
 public:
  // `context`: tokens before the first query token that next() answers. `layer` tells the layers of a request
  // apart in what they draw. Locality must have passed check_locality, and there must be as many tokens as
  // the lead-in has steps.
  synthetic_layer(const layer_locality& locality, const stream_locality& stream, std::int32_t top_k,
                  token_id context, std::uint64_t seed, std::int32_t layer);

  // The lead-in, to be read before next(): selections of the last positions before `context` that use every
  // row once in the order of the stack, the deepest first, and the selection of position context - 1 last.
  // After it a pool of any size is as warm as after a long decode. Step s of n selects at position
  // context - n + s.
  void lead_in(std::int32_t step, std::span<token_id> out) const;

  // The selection of the next query token: ids ascend, -1 fills what is left of [top_k].
  void next(std::span<token_id> out);

  // The last `count` query tokens that next() answered were rejected drafts; the next ones take their places.
  // What the drafts brought into the selection stays: a draft is much like the token that replaces it. Such a
  // selection lacks a row for each of them at most, which it would have had in place of a row by position.
  void retract(token_id count) { tokens_ -= count; }
  [[nodiscard]] token_id tokens() const { return tokens_; }

 private:
  void make_stack(const counter_rng& rng);
  void append_token();
  void enter(step_draws& draws);
  void leave(step_draws& draws, std::size_t candidates);
  void write_block(std::size_t block, std::span<token_id> out) const;
  void write_selection(token_id query, std::span<token_id> out) const;
  [[nodiscard]] token_id reach() const;
  [[nodiscard]] double scattered_factor() const;

  stream_locality stream_;
  std::int32_t top_k_;
  entrant_rates rates_;
  double steepness_;
  counter_rng draws_;
  counter_rng bursts_;
  token_id tokens_;             // of the context; the last is the query token
  token_id furthest_;           // the most that it has had
  std::int32_t positional_;     // rows selected by position beyond the recent ones
  std::size_t members_wanted_;  // selected rows that may leave, once there are enough
  entrant_depths depths_;
  std::vector<std::uint64_t>
      selected_;  // a bit a token, as of `furthest_`; not for rows selected by position
  std::vector<token_id> members_;
  std::vector<token_id> outside_;     // not selected, the one used last at the end
  std::vector<std::uint32_t> drawn_;  // depths of a step's entrants
};

}  // namespace ess
