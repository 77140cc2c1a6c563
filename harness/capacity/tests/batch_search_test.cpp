#include "harness/capacity/batch_search.h"

#include <set>

namespace harness {
namespace {

constexpr double no_limit = 1e12;

std::optional<double> linear(int batch) { return 100.0 + 10.0 * batch; }

TEST(find_batch, takes_the_largest_where_it_is_within_the_limit) {
  const batch_search found = find_batch(37, no_limit, linear);
  EXPECT_EQ(found.best, 37);
  EXPECT_EQ(found.bound, batch_bound::largest);
  EXPECT_EQ(found.tried.size(), 1u);
}

TEST(find_batch, finds_the_last_batch_within_every_limit) {
  constexpr int largest = 70;
  for (int last = 1; last < largest; ++last) {
    const batch_search found = find_batch(largest, *linear(last), linear);
    EXPECT_EQ(found.best, last);
    EXPECT_EQ(found.bound, batch_bound::step_limit);
    EXPECT_LE(found.tried.size(), 8u) << "bisection";
  }
}

TEST(find_batch, asks_for_each_batch_once_and_lists_them_by_size) {
  std::multiset<int> asked;
  const batch_search found = find_batch(1000, 1234, [&](int batch) {
    asked.insert(batch);
    return linear(batch);
  });
  ASSERT_EQ(found.tried.size(), asked.size());
  auto next = asked.begin();
  for (const tried_batch& one : found.tried) {
    EXPECT_EQ(asked.count(one.batch), 1u);
    EXPECT_EQ(one.batch, *next++);
  }
}

TEST(find_batch, tries_one_request_before_it_gives_up) {
  const batch_search found = find_batch(50, 109, linear);
  EXPECT_EQ(found.best, std::nullopt);
  EXPECT_EQ(found.bound, batch_bound::step_limit);
  EXPECT_EQ(found.tried.front().batch, 1);
}

TEST(find_batch, stays_below_what_cannot_be_simulated) {
  const auto up_to_20 = [](int batch) { return batch <= 20 ? linear(batch) : std::nullopt; };
  const batch_search found = find_batch(64, no_limit, up_to_20);
  EXPECT_EQ(found.best, 20);
  EXPECT_EQ(found.bound, batch_bound::beyond_model);
}

// Past 10 requests a step's time grows faster than its tokens.
TEST(find_batch, chooses_by_throughput_among_those_tried) {
  const auto steep = [](int batch) -> std::optional<double> { return batch <= 10 ? 100.0 : 100.0 * batch; };
  const batch_search found = find_batch(40, 1900, steep);
  ASSERT_TRUE(found.best);
  EXPECT_LE(*found.best, 10);
}

TEST(inversions, counts_neighbours_out_of_order) {
  EXPECT_EQ(inversions({{1, 5.0}, {2, 6.0}, {4, 6.0}}), 0);
  EXPECT_EQ(inversions({{1, 5.0}, {2, 4.0}, {4, 6.0}, {8, 5.5}}), 2);
  EXPECT_EQ(inversions({{1, 5.0}, {2, std::nullopt}, {4, 1.0}}), 0);
}

}  // namespace
}  // namespace harness
