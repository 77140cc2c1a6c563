#include "ess_core/device/cuda/emulation/memory.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <vector>

#include "ess_core/device/cuda/emulation/runtime.h"
#include "ess_core/device/cuda/emulation/sanitizers.h"
#include "ess_core/device/cuda/emulation/stand_in.h"
#include "ess_core/device/cuda/emulation/streams.h"

namespace ess::emulation {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t alignment = 256;  // that CUDA gives

std::size_t round_up(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

// By the first byte.
std::map<std::uintptr_t, allocation>& allocations() {
  static auto& all = *new std::map<std::uintptr_t, allocation>;
  return all;
}

// Protects device memory from the host; -1 where the machine cannot.
int device_key() {
  static const int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
  return key;
}
thread_local int device_accesses = 0;

// The data ends where a guard page begins, but for its alignment.
bool map_allocation(allocation& a) {
  const std::size_t room = round_up(a.bytes, page);
  a.mapping_bytes = room + 2 * page;
  void* const p =
      mmap(nullptr, a.mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return false;
  a.mapping = static_cast<std::byte*>(p);
  a.data = a.mapping + page + room - round_up(a.bytes, alignment);
  const bool guarded = a.kind == memory_kind::device && device_key() > 0;
  mprotect(a.mapping + page, room, PROT_READ | PROT_WRITE);
  if (guarded) pkey_mprotect(a.mapping + page, room, PROT_READ | PROT_WRITE, device_key());
  poison(a.mapping + page, room);
  unpoison(a.data, a.bytes);
  return true;
}

std::size_t device_bytes_in_use() {
  std::size_t bytes = 0;
  for (const auto& [at, a] : allocations()) bytes += a.kind == memory_kind::device ? a.bytes : 0;
  return bytes;
}

cudaError_t allocate(void** p, std::size_t n, memory_kind kind) {
  if (p == nullptr) return cudaErrorInvalidValue;
  *p = nullptr;
  if (n == 0) return cudaSuccess;
  const std::size_t memory = stand_in_settings().device_memory;
  if (kind == memory_kind::device && n > memory - std::min(memory, device_bytes_in_use())) {
    return cudaErrorMemoryAllocation;
  }
  allocation a{nullptr, n, kind, nullptr, 0};
  if (!map_allocation(a)) return cudaErrorMemoryAllocation;
  if (stand_in_settings().fill && n <= stand_in_settings().fill_limit) {
    const device_access access;
    std::memset(a.data, 0xff, n);
  }
  allocations().emplace(reinterpret_cast<std::uintptr_t>(a.data), a);
  *p = a.data;
  return cudaSuccess;
}

// What is not the begin of such an allocation is refused.
cudaError_t release(void* p, memory_kind kind, cudaError_t if_not) {
  const auto found = allocations().find(reinterpret_cast<std::uintptr_t>(p));
  if (found == allocations().end() || found->second.kind != kind) return if_not;
  const allocation& a = found->second;
  if (a.mapping != nullptr) {
    unpoison(a.mapping, a.mapping_bytes);
    munmap(a.mapping, a.mapping_bytes);
  }
  allocations().erase(found);
  return cudaSuccess;
}

bool on_device(const void* p) {
  const allocation* const a = find_allocation(p);
  return a != nullptr && a->kind == memory_kind::device;
}

cudaError_t check_copy(const void* to, const void* from, std::size_t n, cudaMemcpyKind kind) {
  const bool to_device = on_device(to), from_device = on_device(from);
  const bool named = kind != cudaMemcpyDefault;
  const bool wants_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool wants_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (n == 0) return cudaSuccess;
  if (to == nullptr || from == nullptr) return cudaErrorInvalidValue;
  if (named && (to_device != wants_to || from_device != wants_from)) return cudaErrorInvalidMemcpyDirection;
  return range_is_whole(to, n) && range_is_whole(from, n) ? cudaSuccess : cudaErrorInvalidValue;
}

std::function<void()> copy_work(void* to, const void* from, std::size_t n) {
  return [=] {
    const device_access access;
    std::memmove(to, from, n);
  };
}

cudaError_t enqueue_copy(void* to, const void* from, std::size_t n, cudaMemcpyKind kind, cudaStream_t s) {
  if (const cudaError_t e = check_copy(to, from, n, kind)) return e;
  return enqueue(s, copy_work(to, from, n));
}

cudaError_t enqueue_fill(void* to, int value, std::size_t n, cudaStream_t s) {
  if (n != 0 && (find_allocation(to) == nullptr || !range_is_whole(to, n))) return cudaErrorInvalidValue;
  return enqueue(s, [=] {
    const device_access access;
    std::memset(to, value, n);
  });
}

// What returns only when the null stream is done with it: forbidden while a stream that it waits for is
// captured.
template <class F>
cudaError_t then_wait(F enqueue_work) {
  if (const cudaError_t e = enqueue_work()) return e;
  return wait_for_stream(nullptr);
}

}  // namespace

device_access::device_access() {
  if (device_key() > 0 && device_accesses++ == 0) pkey_set(device_key(), 0);
}
device_access::~device_access() {
  if (device_key() > 0 && --device_accesses == 0) pkey_set(device_key(), PKEY_DISABLE_ACCESS);
}

bool protects_device_memory() { return device_key() > 0; }

const allocation* find_allocation(const volatile void* p) {
  const auto at = reinterpret_cast<std::uintptr_t>(p);
  auto after = allocations().upper_bound(at);
  if (after == allocations().begin()) return nullptr;
  const auto& [begin, a] = *--after;
  return at < begin + a.bytes ? &a : nullptr;
}

bool range_is_whole(const void* p, std::size_t n) {
  const auto at = reinterpret_cast<std::uintptr_t>(p);
  if (const allocation* const a = find_allocation(p)) {
    return n <= reinterpret_cast<std::uintptr_t>(a->data) + a->bytes - at;
  }
  const auto next = allocations().upper_bound(at);
  return next == allocations().end() || at + n <= next->first;
}

memory_counts count_memory() {
  memory_counts n{};
  for (const auto& [at, a] : allocations()) {
    ++(a.kind == memory_kind::device ? n.device : a.kind == memory_kind::pinned ? n.pinned : n.registered);
  }
  return n;
}

cudaError_t cudaMalloc(void** p, std::size_t n) {
  return answer(call::allocation, capture_rule::forbidden,
                [&] { return allocate(p, n, memory_kind::device); });
}

cudaError_t cudaHostAlloc(void** p, std::size_t n, unsigned) {
  return answer(call::host_allocation, capture_rule::forbidden,
                [&] { return allocate(p, n, memory_kind::pinned); });
}

cudaError_t cudaFree(void* p) {
  return clean_up([&] {
    if (p == nullptr) return cudaSuccess;
    wait_for_device();
    return release(p, memory_kind::device, cudaErrorInvalidValue);
  });
}

cudaError_t cudaFreeHost(void* p) {
  return clean_up([&] {
    if (p == nullptr) return cudaSuccess;
    wait_for_device();
    return release(p, memory_kind::pinned, cudaErrorInvalidValue);
  });
}

cudaError_t cudaHostRegister(void* p, std::size_t n, unsigned) {
  return answer(call::host_allocation, capture_rule::forbidden, [&] {
    if (p == nullptr || n == 0) return cudaErrorInvalidValue;
    if (find_allocation(p) != nullptr || !range_is_whole(p, n)) return cudaErrorHostMemoryAlreadyRegistered;
    const allocation a{static_cast<std::byte*>(p), n, memory_kind::registered, nullptr, 0};
    allocations().emplace(reinterpret_cast<std::uintptr_t>(p), a);
    return cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void* p) {
  return clean_up([&] {
    wait_for_device();
    return release(p, memory_kind::registered, cudaErrorHostMemoryNotRegistered);
  });
}

cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  return answer(call::other, capture_rule::allowed, [&] {
    const allocation* const a = find_allocation(host);
    if (a == nullptr || a->kind == memory_kind::device) return cudaErrorInvalidValue;
    *device = host;
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return answer(call::other, capture_rule::allowed, [&] {
    *total = stand_in_settings().device_memory;
    *free = *total - std::min(*total, device_bytes_in_use());
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t n, cudaMemcpyKind kind) {
  return answer(call::copy, capture_rule::forbidden,
                [&] { return then_wait([&] { return enqueue_copy(to, from, n, kind, nullptr); }); });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t n, cudaMemcpyKind kind, cudaStream_t s) {
  return answer(call::copy, capture_rule::allowed, [&] { return enqueue_copy(to, from, n, kind, s); });
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t s) {
  return answer(call::copy, capture_rule::allowed, [&] {
    if (width > to_pitch || width > from_pitch) return cudaErrorInvalidValue;
    if (width == 0 || height == 0) return cudaSuccess;
    const auto extent = [&](std::size_t pitch) { return (height - 1) * pitch + width; };
    if (!range_is_whole(from, extent(from_pitch))) return cudaErrorInvalidValue;
    if (!range_is_whole(to, extent(to_pitch))) return cudaErrorInvalidValue;
    if (const cudaError_t e = check_copy(to, from, width, kind)) return e;
    return enqueue(s, [=] {
      const device_access access;
      for (std::size_t i = 0; i < height; ++i) {
        std::memmove(static_cast<std::byte*>(to) + i * to_pitch,
                     static_cast<const std::byte*>(from) + i * from_pitch, width);
      }
    });
  });
}

cudaError_t cudaMemcpyBatchAsync(void* const* to, const void* const* from, const std::size_t* bytes,
                                 std::size_t count, cudaMemcpyAttributes* attributes, std::size_t* first_of,
                                 std::size_t attribute_count, cudaStream_t s) {
  return answer(call::copy, capture_rule::allowed, [&] {
    if (s == nullptr || count == 0 || attribute_count == 0 || attribute_count > count)
      return cudaErrorInvalidValue;
    for (std::size_t i = 0; i < attribute_count; ++i) {
      const bool in_order = i == 0 ? first_of[0] == 0 : first_of[i] > first_of[i - 1] && first_of[i] < count;
      const auto order = attributes[i].srcAccessOrder;
      if (!in_order || order < cudaMemcpySrcAccessOrderStream || order > cudaMemcpySrcAccessOrderAny) {
        return cudaErrorInvalidValue;
      }
    }
    std::vector<std::function<void()>> copies;
    for (std::size_t i = 0; i < count; ++i) {
      if (const cudaError_t e = check_copy(to[i], from[i], bytes[i], cudaMemcpyDefault)) return e;
      copies.push_back(copy_work(to[i], from[i], bytes[i]));
    }
    return enqueue(s, [copies] {
      for (const auto& copy : copies) copy();
    });
  });
}

cudaError_t cudaMemset(void* to, int value, std::size_t n) { return cudaMemsetAsync(to, value, n, nullptr); }

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t n, cudaStream_t s) {
  return answer(call::copy, capture_rule::allowed, [&] { return enqueue_fill(to, value, n, s); });
}

}  // namespace ess::emulation
