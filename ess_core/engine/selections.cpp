#include "ess_core/engine/selections.h"

#include <algorithm>

namespace ess {
namespace {

std::span<const token_id> without_padding(std::span<const token_id> ids) {
  return ids.first(static_cast<std::size_t>(std::ranges::find(ids, -1) - ids.begin()));
}

// Counts through a mark for each token: a merge of the lists would wait at each id for a comparison.
class common_ids {
 public:
  // Both ascend.
  std::int64_t count(std::span<const token_id> a, std::span<const token_id> b) {
    if (a.empty() || b.empty()) return 0;
    const auto tokens = static_cast<std::size_t>(std::max(a.back(), b.back())) + 1;
    if (marks_.size() < tokens) marks_.resize(tokens);
    for (const token_id id : a) marks_[static_cast<std::size_t>(id)] = 1;
    std::int64_t out = 0;
    for (const token_id id : b) out += marks_[static_cast<std::size_t>(id)];
    for (const token_id id : a) marks_[static_cast<std::size_t>(id)] = 0;
    return out;
  }

 private:
  std::vector<std::uint8_t> marks_;  // all 0 between calls
};

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
  common_ids common;
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(shape.layers); ++layer) {
    std::span<const token_id> before;
    if (!last.empty()) before = std::span(last).subspan(layer * top_k, top_k);
    for (std::size_t query = 0; query < static_cast<std::size_t>(kept); ++query) {
      const auto ids = now.subspan(layer * shape.of_layer() + query * top_k, top_k);
      if (!before.empty()) {
        into.common += common.count(without_padding(before), without_padding(ids));
        into.all += static_cast<std::int64_t>(without_padding(ids).size());
      }
      before = ids;
    }
    next.insert(next.end(), before.begin(), before.end());
  }
  last = std::move(next);
}

}  // namespace ess
