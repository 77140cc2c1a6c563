// An index stream: which tokens each layer selected for each query token of one request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "ess_core/base/units.h"

namespace ess {

struct trace_shape {
  std::int32_t steps = 0;  // one query token each; several make a decode step where MTP is on
  std::int32_t layers = 0;
  std::int32_t top_k = 0;
  token_id first_token = 0;  // position of the query token of step 0; step s sees tokens 0 .. first_token + s

  [[nodiscard]] std::size_t ids() const {
    return static_cast<std::size_t>(steps) * static_cast<std::size_t>(layers) *
           static_cast<std::size_t>(top_k);
  }
  // Context after the last step.
  [[nodiscard]] std::int64_t final_tokens() const { return std::int64_t{first_token} + steps; }
  friend bool operator==(const trace_shape&, const trace_shape&) = default;
};

// What is wrong with a trace, in words for the person who brought it.
struct trace_error {
  std::string what;
  std::string hint = {};  // may be empty
};

template <typename T>
using trace_result = tl::expected<T, trace_error>;

// Ids of a selection ascend, so a rank is the place by id, not by score; where fewer than top_k tokens were
// selected, -1 fills the rest.
struct index_trace {
  trace_shape shape;
  std::vector<token_id> ids;  // [steps][layers][top_k]

  explicit index_trace(const trace_shape& of) : shape(of), ids(of.ids(), token_id{-1}) {}

  [[nodiscard]] std::span<const token_id> selected(std::int32_t step, std::int32_t layer) const {
    return std::span(ids).subspan(offset(step, layer), static_cast<std::size_t>(shape.top_k));
  }
  [[nodiscard]] std::span<token_id> selected(std::int32_t step, std::int32_t layer) {
    return std::span(ids).subspan(offset(step, layer), static_cast<std::size_t>(shape.top_k));
  }

 private:
  [[nodiscard]] std::size_t offset(std::int32_t step, std::int32_t layer) const {
    const auto row = static_cast<std::size_t>(step) * static_cast<std::size_t>(shape.layers) +
                     static_cast<std::size_t>(layer);
    return row * static_cast<std::size_t>(shape.top_k);
  }
};

// All extents at least 1, positions within token_id, at most max_trace_ids ids.
inline constexpr std::int64_t max_trace_ids = std::int64_t{1} << 36;
[[nodiscard]] trace_result<void> check_shape(const trace_shape& shape);

// Names the first id that is out of range, repeated, out of order or behind padding.
[[nodiscard]] trace_result<void> check_ids(const index_trace& trace);

}  // namespace ess
