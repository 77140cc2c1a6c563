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

request_extent ess_system::extent(const model_dims& model, token_id final_tokens,
                                  std::int32_t query_tokens) const {
  const auto share = static_cast<std::int64_t>(std::ceil(options_.sparse_ratio * final_tokens));
  std::int64_t slots =
      std::min<std::int64_t>(options_.pool_rows > 0 ? options_.pool_rows : share, final_tokens);
  std::int64_t fewest = slots;  // of any layer
  if (const auto weights = layer_weights(model); !weights.empty()) {
    const std::int64_t least = *std::min_element(weights.begin(), weights.end());
    slots = std::max(slots, (one_weight + least - 1) / least);  // every layer has one
    fewest = slots * least / one_weight;
  }
  const std::int64_t step_rows = query_tokens * (model.top_k + std::int64_t{1});
  return {.index_tokens = whole_pages(final_tokens),
          .device_rows = slots,
          .staging_rows = std::max<std::int64_t>(0, std::min<std::int64_t>(step_rows, final_tokens) - fewest),
          .host_rows = final_tokens};
}

void ess_system::resolve(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::resolve, .layer = layer, .slice = slice});
}

void ess_system::store_new_row(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::append_row, .layer = layer, .slice = slice});
}

void ess_system::write_back(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::write_back, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

// Rows of this step's own tokens never miss, so the fetch need not wait for them to be written back.
void ess_system::fetch(program_builder& b, std::int32_t layer, batch_slice slice) const {
  b.add({.kind = op_kind::fetch,
         .layer = layer,
         .slice = slice,
         .stream = stream_id::copy,
         .part = row_part::resident});
}

void ess_system::select_ahead(program_builder& b, std::int32_t layer, batch_slice slice) const {
  if (options_.prefetch_rows > 0) b.add({.kind = op_kind::select_next, .layer = layer, .slice = slice});
}

void ess_system::fetch_ahead(program_builder& b, std::int32_t layer, batch_slice slice) const {
  if (options_.prefetch_rows == 0) return;
  b.add({.kind = op_kind::prefetch, .layer = layer, .slice = slice, .stream = stream_id::copy});
}

}  // namespace ess
