#include "ess_core/locality/index_trace.h"

#include <fmt/format.h>

#include <limits>

namespace ess {
namespace {

std::string fault_of(token_id id, token_id before, token_id newest) {
  if (id < -1 || id > newest) return fmt::format("is {}, but must be in [0, {}]", id, newest);
  if (id == before) return fmt::format("repeats {}", id);
  if (before == -1) return fmt::format("is {}, behind padding", id);
  return fmt::format("is {} after {}, but ids must ascend", id, before);
}

trace_result<void> check_selection(const index_trace& trace, std::int32_t step, std::int32_t layer) {
  const token_id newest = trace.shape.first_token + step;
  const auto selected = trace.selected(step, layer);
  for (std::size_t rank = 0; rank < selected.size(); ++rank) {
    const token_id id = selected[rank];
    const bool first = rank == 0;
    const bool padding = id == -1;
    const bool ascends =
        id >= 0 && id <= newest && (first || (selected[rank - 1] >= 0 && id > selected[rank - 1]));
    if (padding || ascends) continue;
    return tl::unexpected(
        trace_error{fmt::format("step {}, layer {}, rank {}: the id {}", step, layer, rank,
                                fault_of(id, first ? newest : selected[rank - 1], newest))});
  }
  return {};
}

}  // namespace

trace_result<void> check_shape(const trace_shape& shape) {
  const auto refuse = [](std::string what) { return tl::unexpected(trace_error{std::move(what)}); };
  if (shape.steps < 1 || shape.layers < 1 || shape.top_k < 1) {
    return refuse(fmt::format("{} steps, {} layers, top-k {}: each must be at least 1", shape.steps,
                              shape.layers, shape.top_k));
  }
  if (shape.first_token < 0 || shape.final_tokens() > std::numeric_limits<token_id>::max()) {
    return refuse(fmt::format("positions {} to {} do not fit", shape.first_token, shape.final_tokens() - 1));
  }
  if (std::int64_t{shape.steps} * shape.layers > max_trace_ids / shape.top_k) {
    return refuse(fmt::format("{} x {} x {} ids are too many", shape.steps, shape.layers, shape.top_k));
  }
  return {};
}

trace_result<void> check_ids(const index_trace& trace) {
  for (std::int32_t step = 0; step < trace.shape.steps; ++step) {
    for (std::int32_t layer = 0; layer < trace.shape.layers; ++layer) {
      if (auto fine = check_selection(trace, step, layer); !fine) return fine;
    }
  }
  return {};
}

}  // namespace ess
