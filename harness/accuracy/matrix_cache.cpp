#include "harness/accuracy/matrix_cache.h"

#include <algorithm>

#include "ess_core/base/parallel.h"

namespace harness {
namespace {

std::int64_t bytes_of(const std::vector<float>& values) {
  return static_cast<std::int64_t>(values.size() * sizeof(float));
}

}  // namespace

ess::byte_count matrix_cache::kept() const {
  ess::byte_count sum;
  for (const entry& e : entries_) sum.value += bytes_of(*e.values);
  return sum;
}

matrix matrix_cache::get(const ess::model_dims& model, std::uint64_t seed, std::int32_t layer,
                         ess::weight_kind kind, std::int32_t expert) {
  const auto found = std::ranges::find_if(entries_, [&](const entry& e) {
    return e.kind == kind && e.expert == expert && e.layer == layer && e.seed == seed && e.model == model;
  });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return entries_.front().values;
  }
  const std::int64_t bytes = ess::shape_of(model, kind).size() * std::int64_t{sizeof(float)};
  const bool keep = bytes <= budget_.value;
  while (keep && kept().value + bytes > budget_.value) entries_.pop_back();
  auto made = std::make_shared<const std::vector<float>>(ess::make_weights(model, seed, layer, kind, expert));
  if (keep) entries_.push_front({model, seed, layer, kind, expert, made});
  return made;
}

std::vector<std::vector<double>> multiply(const std::vector<float>& weights,
                                          const std::vector<std::vector<double>>& xs) {
  if (xs.empty()) return {};
  const std::size_t n = xs.size();
  const std::size_t columns = xs.front().size();
  const std::size_t rows = weights.size() / columns;
  std::vector<double> side_by_side(columns * n);  // [columns][n]: one pass over W serves all x
  for (std::size_t i = 0; i < columns; ++i) {
    for (std::size_t k = 0; k < n; ++k) side_by_side[i * n + k] = xs[k][i];
  }
  std::vector<std::vector<double>> ys(n, std::vector<double>(rows));
  constexpr std::size_t block = 16;
  ess::for_each_parallel((rows + block - 1) / block, 0, [&](std::size_t b) {
    std::vector<double> sums(n);
    for (std::size_t row = b * block; row < std::min(rows, (b + 1) * block); ++row) {
      std::ranges::fill(sums, 0.0);
      const float* w = weights.data() + row * columns;
      for (std::size_t i = 0; i < columns; ++i) {
        for (std::size_t k = 0; k < n; ++k) sums[k] += double{w[i]} * side_by_side[i * n + k];
      }
      for (std::size_t k = 0; k < n; ++k) ys[k][row] = sums[k];
    }
  });
  return ys;
}

}  // namespace harness
