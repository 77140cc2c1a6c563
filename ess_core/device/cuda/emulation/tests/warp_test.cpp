#include <bit>

#include "ess_core/device/cuda/emulation/tests/support.h"

namespace ess::emulation::test {
namespace {

using warp_operations = stand_in;

constexpr unsigned all = ~0u;

// Results of a warp's operations: [operation][lane].
std::vector<int> results(void (*kernel)(ints), int operations, int threads = 32) {
  const device_array<int> out(static_cast<std::size_t>(operations * threads));
  const cudaError_t e = run(kernel, 1, dim3(static_cast<unsigned>(threads)), {out.data()});
  EXPECT_EQ(e, cudaSuccess) << last_report();
  return e == cudaSuccess ? out.values() : std::vector<int>(out.size());
}

void shuffles_kernel(ints p) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  p.out[lane] = __shfl_sync(all, lane * 10, lane + 35);
  p.out[32 + lane] = __shfl_up_sync(all, lane * 10, 3, 8);
  p.out[64 + lane] = __shfl_down_sync(all, lane * 10, 3, 8);
  p.out[96 + lane] = __shfl_xor_sync(all, lane * 10, 17);
  p.out[128 + lane] = static_cast<int>(__shfl_sync(all, lane * 0.5, 6, 16) * 2);
}

TEST_F(warp_operations, shuffles) {
  const auto out = results(shuffles_kernel, 5);
  for (int lane = 0; lane < 32; ++lane) {
    const auto at = [&](int op) { return out[static_cast<std::size_t>(32 * op + lane)]; };
    EXPECT_EQ(at(0), (lane + 3) % 32 * 10);
    EXPECT_EQ(at(1), (lane % 8 >= 3 ? lane - 3 : lane) * 10);
    EXPECT_EQ(at(2), (lane % 8 + 3 < 8 ? lane + 3 : lane) * 10);
    EXPECT_EQ(at(3), (lane ^ 17) * 10);
    EXPECT_EQ(at(4), lane / 16 * 16 + 6);
  }
}

void votes_kernel(ints p) {
  const unsigned lane = threadIdx.x;
  const auto put = [&](int op, auto value) {
    p.out[32 * op + static_cast<int>(lane)] = static_cast<int>(value);
  };
  put(7, __activemask());
  put(0, __ballot_sync(all, lane % 5 == 0));
  put(1, __any_sync(all, lane == 9) * 10 + __any_sync(all, 0));
  put(2, __all_sync(all, 8) * 10 + __all_sync(all, lane != 9));
  put(3, __match_any_sync(all, lane % 3));
  int same = -1;
  put(4, __match_all_sync(all, 7.0f, &same));
  put(5, same);
  put(6, __match_all_sync(all, lane / 31, &same) * 10 + static_cast<unsigned>(same));
}

TEST_F(warp_operations, votes) {
  const auto out = results(votes_kernel, 8);
  unsigned fifths = 0, thirds[3] = {};
  for (unsigned lane = 0; lane < 32; ++lane) {
    fifths |= lane % 5 == 0 ? 1u << lane : 0;
    thirds[lane % 3] |= 1u << lane;
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto at = [&](unsigned op) { return out[32 * op + lane]; };
    EXPECT_EQ(static_cast<unsigned>(at(0)), fifths);
    EXPECT_EQ(at(1), 10);
    EXPECT_EQ(at(2), 10);
    EXPECT_EQ(static_cast<unsigned>(at(3)), thirds[lane % 3]);
    EXPECT_EQ(at(4), -1);
    EXPECT_EQ(at(5), 1);
    EXPECT_EQ(at(6), 0);
    EXPECT_EQ(at(7), -1);
  }
}

void reductions_kernel(ints p) {
  const unsigned lane = threadIdx.x;
  const int sign = static_cast<int>(lane) - 16;
  const auto put = [&](int op, auto value) {
    p.out[32 * op + static_cast<int>(lane)] = static_cast<int>(value);
  };
  put(0, __reduce_add_sync(all, sign));
  put(1, __reduce_min_sync(all, sign));
  put(2, __reduce_max_sync(all, static_cast<unsigned>(sign)));
  put(3, __reduce_and_sync(all, lane | 8u));
  put(4, __reduce_or_sync(all, lane));
  put(5, __reduce_xor_sync(all, lane * lane));
  // Halves of a warp apart.
  const unsigned half = lane < 16 ? 0xffffu : 0xffff0000u;
  put(6, __reduce_add_sync(half, lane));
}

TEST_F(warp_operations, reductions) {
  const auto out = results(reductions_kernel, 7);
  int squares = 0;
  for (int lane = 0; lane < 32; ++lane) squares ^= lane * lane;
  for (std::size_t lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(out[lane], -16);
    EXPECT_EQ(out[32 + lane], -16);
    EXPECT_EQ(out[64 + lane], -1);
    EXPECT_EQ(out[96 + lane], 8);
    EXPECT_EQ(out[128 + lane], 31);
    EXPECT_EQ(out[160 + lane], squares);
    EXPECT_EQ(out[192 + lane], lane < 16 ? 120 : 376);
  }
}

void part_kernel(ints p) {  // 40 threads: the second warp has 8 lanes
  const unsigned lane = threadIdx.x % 32, mask = threadIdx.x < 32 ? all : 0xffu;
  int sum = 1;
  for (int i = 4; i > 0; i /= 2) sum += __shfl_xor_sync(mask, sum, i);
  p.out[threadIdx.x] = sum;
  if (lane >= 4) return;
  p.out[threadIdx.x] += static_cast<int>(__ballot_sync(0xfu, 1));
}

TEST_F(warp_operations, parts_of_a_warp_meet_alone_and_exited_lanes_are_not_waited_for) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    stand_in_settings().seed = seed;
    const auto out = results(part_kernel, 1, 40);
    for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(out[i], i % 32 < 4 ? 8 + 15 : 8);
  }
}

void exchange_kernel(ints p) {
  __shared__ int slots[32];
  const unsigned lane = threadIdx.x;
  slots[lane] = static_cast<int>(lane);
  __syncwarp();
  p.out[lane] = slots[31 - lane];
}

TEST_F(warp_operations, syncwarp_orders_memory) {
  stand_in_settings().seed = 5;
  EXPECT_EQ(results(exchange_kernel, 1)[3], 28);
}

int wrong_line = 0;
#define WRONG wrong_line = __LINE__;

void lacks_self_kernel(ints p) { WRONG p.out[threadIdx.x] = __shfl_sync(0xffffu, 1, 0); }
void inactive_kernel(ints p) {
  if (threadIdx.x < 16) {
    WRONG p.out[threadIdx.x] = __shfl_sync(0xffffu, 1, 20);
  }
}
void exited_kernel(ints p) {
  if (threadIdx.x == 9) return;
  WRONG p.out[threadIdx.x] = __shfl_sync(all, 1, 9);
}
void mixed_kernel(ints p) {
  if (threadIdx.x % 2 == 0) {
    p.out[threadIdx.x] = __shfl_sync(all, 1, 0);
  } else {
    WRONG p.out[threadIdx.x] = static_cast<int>(__ballot_sync(all, 1));
  }
}
void off_by_one_mask_kernel(ints p) {  // a reduction over 16 lanes that names 15
  if (threadIdx.x < 16) {
    WRONG p.out[threadIdx.x] = static_cast<int>(__reduce_add_sync(0x7fffu, 1u));
  }
}

struct misuse {
  const char* name;
  void (*kernel)(ints);
  const char* report;
};
class warp_misuse : public stand_in, public testing::WithParamInterface<misuse> {};

TEST_P(warp_misuse, fails_the_launch_and_says_where) {
  const device_array<int> out(32);
  for (const std::uint64_t seed : {0, 1, 2}) {
    reset();
    if (seed != 0) stand_in_settings().seed = seed;
    EXPECT_EQ(run(GetParam().kernel, 1, 32, {out.data()}), cudaErrorLaunchFailure);
    EXPECT_THAT(last_report(), HasSubstr(GetParam().report));
    EXPECT_THAT(last_report(), HasSubstr("warp_test.cpp:" + std::to_string(wrong_line)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    kernels, warp_misuse,
    testing::Values(misuse{"mask_without_caller", lacks_self_kernel, "lacks the calling lane"},
                    misuse{"inactive_lane", inactive_kernel, "reads lane 20, which takes no part"},
                    misuse{"exited_lane", exited_kernel, "reads lane 9, which takes no part"},
                    misuse{"two_operations", mixed_kernel, "another lane is at"},
                    misuse{"off_by_one_mask", off_by_one_mask_kernel, "lacks the calling lane"}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace ess::emulation::test
