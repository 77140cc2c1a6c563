#include "ess_core/communicator/communicator.h"

#include <numeric>

#include "ess_core/communicator/testing/thread_ranks.h"

namespace {

using namespace ess;
using ess::test::run_ranks;
using ::testing::HasSubstr;

struct pieces {
  std::vector<std::int64_t> offsets, bytes;
  [[nodiscard]] exchange_pieces view() const { return {.offsets = offsets, .bytes = bytes}; }
};

pieces one_after_another(std::vector<std::int64_t> bytes) {
  pieces out{.offsets = std::vector<std::int64_t>(bytes.size()), .bytes = bytes};
  std::exclusive_scan(bytes.begin(), bytes.end(), out.offsets.begin(), std::int64_t{0});
  return out;
}

TEST(communicator, one_rank_is_alone) {
  const auto ranks = make_lone_communicator();
  EXPECT_EQ(ranks->ranks(), 1);
  EXPECT_EQ(ranks->gather("here"), std::vector<std::string>{"here"});
  EXPECT_TRUE(any(*ranks, true));
  EXPECT_FALSE(any(*ranks, false));
  const std::string text = "rows";
  std::string back(4, '\0');
  const pieces all = one_after_another({4});
  ranks->all_to_all(reinterpret_cast<const std::byte*>(text.data()), all.view(),
                    reinterpret_cast<std::byte*>(back.data()), all.view());
  EXPECT_EQ(back, text);
}

// Rank r sends r + d + 1 bytes of its own letter to rank d.
TEST(communicator, exchanges_unequal_pieces) {
  run_ranks(3, [](communicator& ranks) {
    const int me = ranks.rank();
    std::vector<std::int64_t> bytes;
    for (int other = 0; other < 3; ++other) bytes.push_back(me + other + 1);
    const pieces both = one_after_another(bytes);
    const std::string sent(static_cast<std::size_t>(both.offsets.back() + bytes.back()),
                           static_cast<char>('a' + me));
    std::string received(sent.size(), '?');
    ranks.all_to_all(reinterpret_cast<const std::byte*>(sent.data()), both.view(),
                     reinterpret_cast<std::byte*>(received.data()), both.view());
    std::string want;
    for (int other = 0; other < 3; ++other)
      want += std::string(static_cast<std::size_t>(me + other + 1), static_cast<char>('a' + other));
    EXPECT_EQ(received, want);
  });
}

TEST(communicator, agrees_on_the_largest) {
  run_ranks(4, [](communicator& ranks) {
    const std::vector<double> mine = {double(ranks.rank()), -double(ranks.rank())};
    EXPECT_EQ(largest(ranks, mine), (std::vector<double>{3, 0}));
    EXPECT_TRUE(any(ranks, ranks.rank() == 2));
    EXPECT_FALSE(any(ranks, false));
  });
}

TEST(communicator, who_gives_up_ends_the_others_too) {
  std::string told;
  const auto body = [&](communicator& ranks) {
    if (ranks.rank() == 1) throw std::runtime_error("no room");
    try {
      ranks.barrier();
    } catch (const rank_failure& e) {
      told = e.what();
    }
  };
  EXPECT_THROW(run_ranks(2, body), std::runtime_error);
  EXPECT_THAT(told, HasSubstr("rank 1 gave up: no room"));
}

TEST(communicator, patience_ends) {
  const auto body = [](communicator& ranks) {
    if (ranks.rank() == 0) ranks.barrier();
  };
  EXPECT_THROW(run_ranks(2, body, std::chrono::milliseconds(50)), rank_failure);
}

}  // namespace
