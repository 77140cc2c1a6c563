#include "ess_core/engine/selections.h"

#include <algorithm>

namespace ess {
namespace {

std::span<const token_id> without_padding(std::span<const token_id> ids) {
  return ids.first(static_cast<std::size_t>(std::ranges::find(ids, -1) - ids.begin()));
}

std::int64_t common_ids(std::span<const token_id> a, std::span<const token_id> b) {
  std::int64_t count = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    count += a[i] == b[j] ? 1 : 0;
    const bool step_a = a[i] <= b[j];
    const bool step_b = b[j] <= a[i];
    i += step_a ? 1 : 0;
    j += step_b ? 1 : 0;
  }
  return count;
}

}  // namespace

std::int64_t union_size(std::span<const token_id> of_layer) {
  std::vector<token_id> ids(of_layer.begin(), of_layer.end());
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  return std::ranges::count_if(ids, [](token_id id) { return id >= 0; });
}

void follow(const selection_shape& shape, std::span<const token_id> now, std::int32_t kept,
            std::vector<token_id>& last, step_overlap& into) {
  const auto top_k = static_cast<std::size_t>(shape.top_k);
  std::vector<token_id> next;
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(shape.layers); ++layer) {
    std::span<const token_id> before;
    if (!last.empty()) before = std::span(last).subspan(layer * top_k, top_k);
    for (std::size_t query = 0; query < static_cast<std::size_t>(kept); ++query) {
      const auto ids = now.subspan(layer * shape.of_layer() + query * top_k, top_k);
      if (!before.empty()) {
        into.common += common_ids(without_padding(before), without_padding(ids));
        into.all += static_cast<std::int64_t>(without_padding(ids).size());
      }
      before = ids;
    }
    next.insert(next.end(), before.begin(), before.end());
  }
  last = std::move(next);
}

}  // namespace ess
