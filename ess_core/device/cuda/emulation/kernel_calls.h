// What kernels call in the stand-in, below the CUDA-named functions of intrinsics.h. `at` is where the kernel
// does.
#pragma once

#include <cstddef>

#include "ess_core/device/cuda/emulation/thread.h"

namespace ess::emulation {

enum class barrier_kind { sync, count, all, any };
// What __syncthreads and its kin return.
int meet_at_barrier(barrier_kind kind, int predicate, call_site at);

// Of the lanes in `mask`; values as bits.
void sync_warp(std::uint32_t mask, call_site at);
std::uint64_t shuffle(std::uint32_t mask, std::uint64_t value, std::uint32_t from_lane, call_site at);
enum class vote_kind { ballot, any, all, match_any, match_all, add, min, max, bit_and, bit_or, bit_xor };
std::uint64_t vote(vote_kind kind, std::uint32_t mask, std::int64_t value, call_site at);
std::uint32_t active_lanes();

// d[16][8] += a[16][16] b[16][8] of a whole warp, bf16 x bf16 -> f32, fragments as PTX lays them out
// (mma.m16n8k16).
void multiply_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], call_site at);
// The same of 32 e4m3 (mma.m16n8k32).
void multiply_e4m3(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], call_site at);
// Four 8 x 8 tiles of 16-bit values; lane i gives the address of row i % 8 of tile i / 8.
void load_matrices(std::uint32_t (&d)[4], const void* row, call_site at);
void load_matrices_transposed(std::uint32_t (&d)[4], const void* row, call_site at);

void fence(call_site at);
// Before an atomic operation on `bytes` bytes. Of two atomics on a word neither races with the other.
void before_atomic(const volatile void* p, std::size_t bytes);
void sleep();
[[noreturn]] void trap(call_site at);

unsigned char* dynamic_shared();
// A copy lands when its group is waited for, never earlier: a missing wait shows.
void copy_async(void* to, const void* from, std::uint32_t bytes);
void commit_copies();
// Until at most `groups_left` committed groups have not landed.
void wait_for_copies(int groups_left, call_site at);

}  // namespace ess::emulation
