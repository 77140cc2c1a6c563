// What a kernel calls alone: fences, atomics, asynchronous copies, and the tensor-core products of a warp.
#include <cstring>

#include "ess_core/device/cuda/emulation/checker_hooks.h"
#include "ess_core/device/cuda/emulation/warp.h"

namespace ess::emulation {
namespace {

// The element of a register that is `which` from below.
struct bf16_pair {
  static constexpr unsigned elements = 2;
  static float at(std::uint32_t r, unsigned which) { return std::bit_cast<float>((r >> 16 * which) << 16); }
};
struct e4m3_quad {
  static constexpr unsigned elements = 4;
  static float at(std::uint32_t r, unsigned which) {
    const std::uint32_t code = r >> 8 * which & 0xff;
    if ((code & 0x7f) == 0x7f) return std::bit_cast<float>(0x7fc00000u);
    return std::bit_cast<float>((code & 0x80) << 24 | (code & 0x7f) << 20) * 0x1p120f;
  }
};

// Tensor-core operations are undefined for part of a warp.
void need_whole_warp(const warp_lanes& lanes, const char* name) {
  if (lanes.came == ~0u) return;
  fail(lanes.first[std::countr_zero(lanes.came)], cudaErrorLaunchFailure,
       std::string(name) + ": lanes of its warp have exited (left " + hex(lanes.came) + ")");
}

struct product_request {
  float* d;
  const std::uint32_t* a;
  const std::uint32_t* b;
};

// PTX ISA, "Matrix Fragments for mma.m16n8k16" and "for mma.m16n8k32": lane = 4 x group + thread in group; a
// register holds neighbours along k.
template <class Register>
void finish_product(const warp_lanes& lanes) {
  need_whole_warp(lanes, "mma");
  constexpr unsigned each = Register::elements, depth = 8 * each;
  float a[16][depth], b[depth][8];
  lanes.for_each([&](std::uint32_t lane) {
    const auto& r = lanes.request<product_request>(lane);
    const unsigned group = lane / 4, first = lane % 4 * each;
    for (unsigned i = 0; i < 4 * each; ++i) {
      const unsigned n = i / each;
      a[group + n % 2 * 8][first + n / 2 * 4 * each + i % each] = Register::at(r.a[n], i % each);
      if (n < 2) b[first + n * 4 * each + i % each][group] = Register::at(r.b[n], i % each);
    }
  });
  lanes.for_each([&](std::uint32_t lane) {
    const auto& r = lanes.request<product_request>(lane);
    for (unsigned i = 0; i < 4; ++i) {
      float sum = 0;
      for (unsigned k = 0; k < depth; ++k) sum += a[lane / 4 + i / 2 * 8][k] * b[k][lane % 4 * 2 + i % 2];
      r.d[i] += sum;
    }
  });
}
constexpr warp_operation product_operation{"mma", finish_product<bf16_pair>};
constexpr warp_operation e4m3_product_operation{"mma", finish_product<e4m3_quad>};

struct matrix_request {
  std::uint32_t* d;
  const void* row;
  const void* program_counter;
};

std::uint32_t read_16(block_thread& t, const void* row, unsigned column, const void* program_counter) {
  const void* const p = static_cast<const std::byte*>(row) + 2 * column;
  if (checker != nullptr) checker->access(t, p, 2, access_kind::read, program_counter);
  std::uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <bool transposed>
void finish_matrices(const warp_lanes& lanes) {
  need_whole_warp(lanes, "ldmatrix");
  lanes.for_each([&](std::uint32_t lane) {
    const auto& r = lanes.request<matrix_request>(lane);
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint32_t major = lane / 4, minor = lane % 4 * 2 + i % 2;
      const auto& from = lanes.request<matrix_request>(i / 2 * 8 + (transposed ? minor : major));
      const std::uint32_t value =
          read_16(lanes.first[lane], from.row, transposed ? major : minor, r.program_counter);
      r.d[i / 2] = i % 2 == 0 ? value : r.d[i / 2] | value << 16;
    }
  });
}
constexpr warp_operation load_operation{"ldmatrix", finish_matrices<false>};
constexpr warp_operation load_transposed_operation{"ldmatrix.trans", finish_matrices<true>};

void load(const warp_operation& operation, std::uint32_t (&d)[4], const void* row, call_site at,
          const void* program_counter) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) {
    fail(running_thread(operation.name, at), cudaErrorMisalignedAddress,
         std::string(operation.name) + " at " + to_string(at) + ": a row is not aligned to 16 bytes");
  }
  matrix_request r{d, row, program_counter};
  meet(operation, ~0u, &r, at);
}

}  // namespace

void multiply_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], call_site at) {
  product_request r{d, a, b};
  meet(product_operation, ~0u, &r, at);
}

void multiply_e4m3(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], call_site at) {
  product_request r{d, a, b};
  meet(e4m3_product_operation, ~0u, &r, at);
}

void load_matrices(std::uint32_t (&d)[4], const void* row, call_site at) {
  load(load_operation, d, row, at, __builtin_return_address(0));
}
void load_matrices_transposed(std::uint32_t (&d)[4], const void* row, call_site at) {
  load(load_transposed_operation, d, row, at, __builtin_return_address(0));
}

void fence(call_site at) {
  if (is_dropped(at)) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (checker != nullptr && current != nullptr) checker->fence(*running_thread());
}

void before_atomic(const volatile void* p, std::size_t bytes) {
  if (current == nullptr) return;
  block_thread& t = *running_thread();
  may_switch(t);
  if (++t.spins >= spins_before_yield) spin(t);
  if (checker != nullptr) checker->access(t, p, bytes, access_kind::atomic, __builtin_return_address(0));
}

void sleep() {
  if (current != nullptr) spin(*running_thread());
}

void trap(call_site at) {
  fail(running_thread("__trap", at), cudaErrorLaunchFailure, "__trap() at " + to_string(at));
}

unsigned char* dynamic_shared() {
  return reinterpret_cast<unsigned char*>(shared_memory(*running_thread()->home));
}

void copy_async(void* to, const void* from, std::uint32_t bytes) {
  block_thread& t = *running_thread();
  if (checker != nullptr) checker->access(t, from, bytes, access_kind::read, __builtin_return_address(0));
  if ((reinterpret_cast<std::uintptr_t>(to) | reinterpret_cast<std::uintptr_t>(from)) % bytes != 0) {
    fail(t, cudaErrorMisalignedAddress,
         "cp.async: an address is not aligned to " + std::to_string(bytes) + " bytes");
  }
  t.copies.push_back({to, from, bytes, t.copy_groups});
}

void commit_copies() { ++running_thread()->copy_groups; }

void wait_for_copies(int groups_left, call_site at) {
  if (is_dropped(at)) return;
  block_thread& t = *running_thread();
  const void* const caller = __builtin_return_address(0);
  std::erase_if(t.copies, [&](const async_copy& c) {
    if (c.group >= t.copy_groups - groups_left) return false;
    if (checker != nullptr) checker->access(t, c.to, c.bytes, access_kind::write, caller);
    std::memcpy(c.to, c.from, c.bytes);
    return true;
  });
}

}  // namespace ess::emulation
