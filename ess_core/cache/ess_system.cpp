#include "ess_core/cache/ess_system.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace ess {

ess_system::ess_system(ess_options options) : options_(std::move(options)) {
  const std::vector<double>& weights = options_.pool_weights;
  if (std::any_of(weights.begin(), weights.end(), [](double w) { return !(w > 0.0); }))
    throw std::invalid_argument("weights of pools must be above 0");
  if (options_.prefetch_rows > 0 && options_.policy != pool_kind::lru)
    throw std::invalid_argument("rows are fetched ahead into LRU pools only");
}

std::vector<std::uint32_t> ess_system::layer_weights(const model_dims& model) const {
  const std::vector<double>& given = options_.pool_weights;
  if (given.empty()) return {};
  const double mean = std::accumulate(given.begin(), given.end(), 0.0) / static_cast<double>(given.size());
  std::vector<std::uint32_t> out(static_cast<std::size_t>(model.layers), one_weight);
  for (std::size_t layer = 0; layer < std::min(given.size(), out.size()); ++layer) {
    out[layer] = static_cast<std::uint32_t>(given[layer] / mean * one_weight);
  }
  return out;
}

std::int64_t ess_system::pool_slots(const model_dims&, token_id final_tokens) const {
  if (options_.pool_rows > 0) return options_.pool_rows;
  return static_cast<std::int64_t>(std::ceil(options_.sparse_ratio * final_tokens));
}

void ess_system::select_ahead(program_builder& b, std::int32_t layer, batch_slice slice) const {
  if (options_.prefetch_rows > 0) b.add({.kind = op_kind::select_next, .layer = layer, .slice = slice});
}

void ess_system::fetch_ahead(program_builder& b, std::int32_t layer, batch_slice slice) const {
  if (options_.prefetch_rows == 0) return;
  b.add({.kind = op_kind::prefetch, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

}  // namespace ess
