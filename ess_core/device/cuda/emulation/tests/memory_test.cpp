#include <cstring>

#include "ess_core/device/cuda/emulation/tests/support.h"

namespace ess::emulation::test {
namespace {

using device_memory = stand_in;

TEST_F(device_memory, fresh_memory_is_nan_bytes_and_aligned) {
  void *device = nullptr, *pinned = nullptr;
  check(cudaMalloc(&device, 100));
  check(cudaHostAlloc(&pinned, 100, cudaHostAllocMapped));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(device) % 256, 0u);
  std::vector<unsigned char> out(100), nan(100, 0xff);
  check(cudaMemcpy(out.data(), device, 100, cudaMemcpyDeviceToHost));
  EXPECT_EQ(out, nan);
  EXPECT_EQ(std::memcmp(pinned, nan.data(), 100), 0);
  check(cudaFree(device));
  check(cudaFreeHost(pinned));
}

TEST_F(device_memory, copies_check_direction_and_range) {
  const device_array<int> a(8), b(8);
  int host[8] = {};
  EXPECT_EQ(cudaMemcpy(host, a.data(), 4, cudaMemcpyHostToDevice), cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaMemcpy(a.data(), host, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaMemcpy(a.data(), b.data(), 4, cudaMemcpyHostToDevice), cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaMemcpy(a.data(), host, 36, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(a.data() + 7, b.data(), 8, cudaMemcpyDefault), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(a.data(), 0, 33), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(host, 0, 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(a.data(), 1, 32), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(b.data(), a.data(), 32, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(b.values(), std::vector<int>(8, 0x01010101));
}

TEST_F(device_memory, pitched_copies) {
  const device_array<int> a(std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8});
  int host[6] = {};
  EXPECT_EQ(cudaMemcpy2DAsync(host, 12, a.data() + 1, 16, 12, 2, cudaMemcpyDeviceToHost, nullptr),
            cudaSuccess);
  EXPECT_THAT(host, testing::ElementsAre(2, 3, 4, 6, 7, 8));
  EXPECT_EQ(cudaMemcpy2DAsync(host, 12, a.data() + 1, 16, 16, 2, cudaMemcpyDeviceToHost, nullptr),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy2DAsync(host, 12, a.data() + 2, 16, 12, 2, cudaMemcpyDeviceToHost, nullptr),
            cudaErrorInvalidValue);
}

TEST_F(device_memory, batches_of_copies) {
  const device_array<int> a(std::vector<int>{1, 2, 3, 4}), b(4);
  cudaStream_t s = nullptr;
  check(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  void* const to[] = {b.data() + 2, b.data()};
  const void* const from[] = {a.data(), a.data() + 3};
  const std::size_t bytes[] = {8, 4};
  cudaMemcpyAttributes attributes{.srcAccessOrder = cudaMemcpySrcAccessOrderStream};
  std::size_t first = 0;
  EXPECT_EQ(cudaMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 1, s), cudaSuccess);
  EXPECT_EQ(b.values(), (std::vector<int>{4, -1, 1, 2}));
  EXPECT_EQ(cudaMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 1, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 3, s), cudaErrorInvalidValue);
  first = 1;
  EXPECT_EQ(cudaMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 1, s), cudaErrorInvalidValue);
  first = 0;
  attributes.srcAccessOrder = cudaMemcpySrcAccessOrderInvalid;
  EXPECT_EQ(cudaMemcpyBatchAsync(to, from, bytes, 2, &attributes, &first, 1, s), cudaErrorInvalidValue);
  check(cudaStreamDestroy(s));
}

TEST_F(device_memory, has_a_size) {
  stand_in_settings().device_memory = 1 << 20;
  std::size_t free = 0, total = 0;
  void *p = nullptr, *q = nullptr;
  check(cudaMalloc(&p, 1 << 19));
  check(cudaMemGetInfo(&free, &total));
  EXPECT_EQ(free, std::size_t{1} << 19);
  EXPECT_EQ(total, std::size_t{1} << 20);
  EXPECT_EQ(cudaMalloc(&q, (1 << 19) + 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(q, nullptr);
  check(cudaFree(p));
}

TEST_F(device_memory, only_what_was_given_out_is_freed) {
  const device_array<int> a(8);
  int host = 0;
  EXPECT_EQ(cudaFree(&host), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(a.data() + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(a.data()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
}

TEST_F(device_memory, host_memory_is_mapped_when_allocated_or_registered) {
  std::vector<int> host(100);
  void* device = nullptr;
  EXPECT_EQ(cudaHostGetDevicePointer(&device, host.data(), 0), cudaErrorInvalidValue);
  check(cudaHostRegister(host.data(), 400, cudaHostRegisterMapped));
  EXPECT_EQ(cudaHostRegister(&host[50], 4, cudaHostRegisterMapped), cudaErrorHostMemoryAlreadyRegistered);
  EXPECT_EQ(count_live().registrations, 1);
  check(cudaHostGetDevicePointer(&device, &host[3], 0));
  EXPECT_EQ(device, &host[3]);
  check(cudaHostUnregister(host.data()));
  EXPECT_EQ(cudaHostUnregister(host.data()), cudaErrorHostMemoryNotRegistered);
}

TEST_F(device_memory, live_objects_are_counted) {
  const live_objects before = count_live();
  void *device = nullptr, *pinned = nullptr;
  cudaStream_t s = nullptr;
  cudaEvent_t e = nullptr;
  check(cudaMalloc(&device, 1));
  check(cudaHostAlloc(&pinned, 1, 0));
  check(cudaStreamCreateWithFlags(&s, 0));
  check(cudaEventCreateWithFlags(&e, 0));
  const live_objects live = count_live();
  EXPECT_EQ(live.allocations, before.allocations + 1);
  EXPECT_EQ(live.host_allocations, before.host_allocations + 1);
  EXPECT_EQ(live.streams, before.streams + 1);
  EXPECT_EQ(live.events, before.events + 1);
  check(cudaFree(device));
  check(cudaFreeHost(pinned));
  check(cudaStreamDestroy(s));
  check(cudaEventDestroy(e));
  EXPECT_EQ(cudaStreamDestroy(s), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventDestroy(e), cudaErrorInvalidResourceHandle);
}

TEST_F(device_memory, a_host_that_dereferences_a_device_pointer_ends) {
  if (!protects_device_memory()) GTEST_SKIP() << "no protection keys here";
  const device_array<int> a(8);
  EXPECT_DEATH(*static_cast<volatile int*>(a.data()) = 1, "");
}

TEST_F(device_memory, properties_are_those_of_the_settings) {
  stand_in_settings().multiprocessors = 7;
  stand_in_settings().name = "GPU of a test";
  cudaDeviceProp p;
  check(cudaGetDeviceProperties(&p, 0));
  EXPECT_STREQ(p.name, "GPU of a test");
  EXPECT_EQ(p.multiProcessorCount, 7);
  EXPECT_EQ(p.sharedMemPerBlockOptin, 227u * 1024);
  EXPECT_EQ(cudaGetDeviceProperties(&p, 1), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  int value = 0;
  check(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0));
  EXPECT_EQ(value, 9);
}

}  // namespace
}  // namespace ess::emulation::test
