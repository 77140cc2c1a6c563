#include "ess_core/locality/pool_split.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "ess_core/locality/tests/random_trace.h"

namespace ess {
namespace {

std::vector<miss_curve> curves_of(unsigned seed, std::int32_t layers) {
  std::mt19937 rng(seed);
  std::vector<miss_curve> out;
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    const trace_shape shape{.steps = 150,
                            .layers = 1,
                            .top_k = static_cast<std::int32_t>(2 + rng() % 6),
                            .first_token = static_cast<token_id>(20 + rng() % 40)};
    out.push_back(lru_miss_curve(random_trace(static_cast<unsigned>(rng()), shape), 0, {.skip_steps = 30}));
  }
  return out;
}

std::int64_t misses_of(std::span<const miss_curve> layers, std::span<const std::int64_t> rows) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) sum += layers[i].misses(rows[i]);
  return sum;
}

// Tries every split: the fewest misses of layers i.. with `total` rows.
std::int64_t best(std::span<const miss_curve> layers, std::int64_t total) {
  if (layers.size() == 1)
    return total < layers[0].smallest_pool ? std::numeric_limits<std::int32_t>::max()
                                           : layers[0].misses(total);
  std::int64_t fewest = std::numeric_limits<std::int32_t>::max();
  for (std::int64_t rows = layers[0].smallest_pool; rows <= total; ++rows) {
    fewest = std::min(fewest, layers[0].misses(rows) + best(layers.subspan(1), total - rows));
  }
  return fewest;
}

std::int64_t needed(std::span<const miss_curve> layers) {
  return std::accumulate(layers.begin(), layers.end(), std::int64_t{0},
                         [](std::int64_t sum, const miss_curve& c) { return sum + c.smallest_pool; });
}

// The most that a straight part of the lower convex hull of a curve saves, hull vertex by hull vertex.
std::int64_t longest_fall(const miss_curve& curve) {
  std::int64_t most = 0;
  for (std::int64_t at = curve.smallest_pool; at < curve.largest_pool();) {
    std::int64_t next = at + 1;
    const auto saved = [&](std::int64_t rows) { return curve.misses(at) - curve.misses(rows); };
    for (std::int64_t rows = at + 2; rows <= curve.largest_pool(); ++rows) {
      if (saved(rows) * (next - at) >= saved(next) * (rows - at)) next = rows;
    }
    most = std::max(most, saved(next));
    at = next;
  }
  return most;
}

// Where a stretch of hull does not fit, no more than that stretch saves can be lost.
TEST(pool_split, is_the_best_split_or_close_to_it) {
  std::int64_t found_in_all = 0;
  std::int64_t fewest_in_all = 0;
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    const auto layers = curves_of(seed, 3);
    const std::int64_t most =
        std::max({longest_fall(layers[0]), longest_fall(layers[1]), longest_fall(layers[2])});
    for (std::int64_t total = needed(layers); total < needed(layers) + 90; total += 1 + seed % 4) {
      const auto rows = split_pool(layers, total);
      ASSERT_TRUE(rows);
      ASSERT_EQ(std::accumulate(rows->begin(), rows->end(), std::int64_t{0}), total);
      for (std::size_t i = 0; i < layers.size(); ++i) ASSERT_GE((*rows)[i], layers[i].smallest_pool);
      const std::int64_t found = misses_of(layers, *rows);
      const std::int64_t fewest = best(layers, total);
      ASSERT_GE(found, fewest);
      ASSERT_LE(found, fewest + most) << total;
      found_in_all += found;
      fewest_in_all += fewest;
    }
  }
  EXPECT_LT(static_cast<double>(found_in_all), 1.01 * static_cast<double>(fewest_in_all));
}

TEST(pool_split, gives_rows_where_they_save_most) {
  // One layer asks for the same rows again and again, the other for ever new ones of many.
  index_trace fixed({.steps = 100, .layers = 1, .top_k = 4, .first_token = 100});
  index_trace roaming({.steps = 100, .layers = 1, .top_k = 4, .first_token = 100});
  for (std::int32_t step = 0; step < 100; ++step) {
    for (std::int32_t rank = 0; rank < 4; ++rank) {
      fixed.selected(step, 0)[static_cast<std::size_t>(rank)] = rank;
      roaming.selected(step, 0)[static_cast<std::size_t>(rank)] = 4 * (step % 10) + rank;
    }
  }
  const std::vector<miss_curve> layers = {lru_miss_curve(fixed, 0, {.skip_steps = 20}),
                                          lru_miss_curve(roaming, 0, {.skip_steps = 20})};
  const auto rows = split_pool(layers, 70);
  ASSERT_TRUE(rows);
  EXPECT_EQ(layers[1].misses((*rows)[1]), 0);
  EXPECT_GT(layers[1].misses(35), 0);
}

TEST(pool_split, spreads_what_saves_nothing_and_refuses_too_few_rows) {
  const auto layers = curves_of(3, 4);
  std::int64_t all = 0;
  for (const miss_curve& curve : layers) all += curve.largest_pool();
  const auto rows = split_pool(layers, all + 401);
  ASSERT_TRUE(rows);
  EXPECT_EQ(std::accumulate(rows->begin(), rows->end(), std::int64_t{0}), all + 401);
  for (std::size_t i = 0; i < layers.size(); ++i) EXPECT_EQ(layers[i].misses((*rows)[i]), layers[i].never);
  EXPECT_FALSE(split_pool(layers, needed(layers) - 1));
  EXPECT_TRUE(split_pool(layers, needed(layers)));
  EXPECT_FALSE(split_pool({}, 10));
}

}  // namespace
}  // namespace ess
