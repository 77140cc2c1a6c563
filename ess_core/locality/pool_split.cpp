#include "ess_core/locality/pool_split.h"

#include <algorithm>
#include <numeric>

namespace ess {
namespace {

// A straight part of a layer's hull.
struct stretch {
  std::size_t layer = 0;
  std::int64_t rows = 0;
  std::int64_t saved = 0;
};

bool saves_more_a_row(const stretch& a, const stretch& b) { return a.saved * b.rows > b.saved * a.rows; }

// Stretches flatten from one to the next.
void add_hull(const miss_curve& curve, std::size_t layer, std::vector<stretch>& out) {
  const auto first = static_cast<std::ptrdiff_t>(out.size());
  for (std::int64_t rows = curve.smallest_pool; rows < curve.largest_pool(); ++rows) {
    stretch next{layer, 1, curve.misses(rows) - curve.misses(rows + 1)};
    while (out.end() - out.begin() > first && !saves_more_a_row(out.back(), next)) {
      next.rows += out.back().rows;
      next.saved += out.back().saved;
      out.pop_back();
    }
    out.push_back(next);
  }
}

std::vector<stretch> best_first(std::span<const miss_curve> layers) {
  std::vector<stretch> out;
  for (std::size_t layer = 0; layer < layers.size(); ++layer) add_hull(layers[layer], layer, out);
  std::ranges::stable_sort(out, saves_more_a_row);
  return out;
}

// Of up to `left` further rows in any layer those that save most a row; none if they save nothing.
stretch best_purchase(std::span<const miss_curve> layers, std::span<const std::int64_t> rows,
                      std::int64_t left) {
  stretch best{.rows = 1};
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const miss_curve& curve = layers[layer];
    const std::int64_t most = std::min(left, curve.largest_pool() - rows[layer]);
    for (std::int64_t more = 1; more <= most; ++more) {
      const stretch next{layer, more, curve.misses(rows[layer]) - curve.misses(rows[layer] + more)};
      if (saves_more_a_row(next, best)) best = next;
    }
  }
  return best;
}

void spread(std::int64_t left, std::span<std::int64_t> rows) {
  const auto layers = static_cast<std::int64_t>(rows.size());
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    rows[static_cast<std::size_t>(layer)] += left / layers + (layer < left % layers ? 1 : 0);
  }
}

}  // namespace

std::optional<std::vector<std::int64_t>> split_pool(std::span<const miss_curve> layers, std::int64_t total) {
  std::vector<std::int64_t> rows;
  for (const miss_curve& curve : layers) rows.push_back(curve.smallest_pool);
  std::int64_t left = std::accumulate(rows.begin(), rows.end(), total, std::minus<>());
  if (left < 0 || layers.empty()) return std::nullopt;
  std::vector<bool> closed(layers.size());  // a stretch did not fit: those behind it cannot begin
  for (const stretch& next : best_first(layers)) {
    if (closed[next.layer] || next.saved == 0) continue;
    if (next.rows > left) {
      closed[next.layer] = true;
      continue;
    }
    rows[next.layer] += next.rows;
    left -= next.rows;
  }
  for (stretch next = best_purchase(layers, rows, left); next.saved > 0;
       next = best_purchase(layers, rows, left)) {
    rows[next.layer] += next.rows;
    left -= next.rows;
  }
  spread(left, rows);
  return rows;
}

}  // namespace ess
