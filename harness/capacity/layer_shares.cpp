#include "harness/capacity/layer_shares.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ess_core/locality/pool_split.h"
#include "ess_core/locality/synthetic_trace.h"

namespace harness {
namespace {

constexpr std::int32_t counted_query_tokens = 64;  // two periods of bursts

}  // namespace

layer_shares::layer_shares(const ess::sim::stream_source& locality, std::int32_t layers, std::int32_t top_k,
                           ess::token_id context, std::int32_t query_tokens) {
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    const auto like = std::min(static_cast<std::size_t>(layer), locality.layers.size() - 1);
    const ess::synthetic_request request{.stream = locality.stream,
                                         .layers = {locality.layers[like]},
                                         .first_layer = layer,
                                         .top_k = top_k,
                                         .context = context,
                                         .steps = counted_query_tokens,
                                         .seed = locality.seed};
    const auto trace = ess::synthesize(request);
    if (!trace) {  // the context is too short for the model
      curves_.clear();
      return;
    }
    const std::int32_t warm = (ess::lead_in_steps(request) + query_tokens - 1) / query_tokens;
    curves_.push_back(ess::lru_miss_curve(*trace, 0, {.query_tokens = query_tokens, .skip_steps = warm}));
  }
}

std::optional<std::string> layer_shares::weights(std::int64_t uniform) const {
  if (curves_.empty()) return std::nullopt;
  const auto rows = ess::split_pool(curves_, uniform * static_cast<std::int64_t>(curves_.size()));
  if (!rows) return std::nullopt;
  std::vector<std::string> out;
  for (const std::int64_t of_layer : *rows)
    out.push_back(fmt::format("{:.4g}", static_cast<double>(of_layer) / static_cast<double>(uniform)));
  return fmt::format("{}", fmt::join(out, " "));
}

}  // namespace harness
