// A trace as one layer's pool meets it: decode steps of one or more query tokens.
#pragma once

#include <algorithm>

#include "ess_core/locality/index_trace.h"

namespace ess {

struct replay_options {
  std::int32_t query_tokens = 1;  // consecutive steps of the trace that make a decode step (MTP)
  std::int32_t skip_steps = 0;    // decode steps that are run but not counted, so that the pool is warm
};

class layer_replay {
 public:
  layer_replay(const index_trace& trace, std::int32_t layer, std::int32_t query_tokens)
      : trace_(trace), layer_(layer), query_tokens_(query_tokens) {}

  // Whole decode steps; what is left of the trace is not replayed.
  [[nodiscard]] std::int32_t steps() const { return trace_.shape.steps / query_tokens_; }
  [[nodiscard]] std::int32_t query_tokens() const { return query_tokens_; }
  // Tokens appended by a step: one for each of its query tokens.
  [[nodiscard]] token_id first_new(std::int32_t step) const {
    return trace_.shape.first_token + step * query_tokens_;
  }
  [[nodiscard]] bool is_new(std::int32_t step, token_id token) const { return token >= first_new(step); }
  // Ids that a query token selected, ascending, without padding.
  [[nodiscard]] std::span<const token_id> selected(std::int32_t step, std::int32_t query) const {
    const auto all = trace_.selected(step * query_tokens_ + query, layer_);
    const auto end = std::ranges::find(all, token_id{-1});
    return all.first(static_cast<std::size_t>(end - all.begin()));
  }
  [[nodiscard]] std::size_t tokens() const { return static_cast<std::size_t>(trace_.shape.final_tokens()); }

 private:
  const index_trace& trace_;
  std::int32_t layer_;
  std::int32_t query_tokens_;
};

}  // namespace ess
