#include "ess_core/device/cpu/link.h"

#include <thread>

namespace ess::cpu {
namespace {

using std::chrono::microseconds;

constexpr link_settings slow = {.paced = true, .gather_gb_per_s = 0.1, .copy_gb_per_s = 0.2, .call_us = 50};

TEST(paced_link, gathers_pay_for_bytes_and_copies_for_calls_too) {
  const paced_link link(slow);
  EXPECT_EQ(link.duration({.bytes = {100'000}}), std::chrono::milliseconds(1));
  EXPECT_EQ(link.duration({.bytes = {100'000}, .calls = 10, .by = transfer::way::copy}),
            std::chrono::milliseconds(1));
}

TEST(paced_link, never_finishes_early) {
  paced_link link(slow);
  for (const std::int64_t bytes : {1'000, 10'000, 60'000}) {
    link.begin_step(slow);
    const auto start = paced_link::clock::now();
    link.finish(start, {.bytes = {bytes}});
    EXPECT_GE(paced_link::clock::now() - start, link.duration({.bytes = {bytes}}));
  }
}

TEST(paced_link, lateness_is_taken_off_the_next_transfer) {
  paced_link link(slow);
  const auto start = paced_link::clock::now();
  std::this_thread::sleep_for(microseconds(3'000));  // the copy itself took longer than the link would have
  link.finish(start, {.bytes = {100'000}});          // 1 ms
  const auto late = link.late();
  EXPECT_GE(late, microseconds(2'000));
  const auto next = paced_link::clock::now();
  link.finish(next, {.bytes = {200'000}});  // 2 ms, all of it covered
  EXPECT_LT(paced_link::clock::now() - next, microseconds(1'500));
  EXPECT_LT(link.late(), late);
}

TEST(paced_link, unpaced_returns_at_once) {
  paced_link link({});
  const auto start = paced_link::clock::now();
  link.finish(start, {.bytes = {1'000'000'000}});
  EXPECT_LT(paced_link::clock::now() - start, microseconds(100'000));
}

}  // namespace
}  // namespace ess::cpu
