#include "ess_core/device/cuda/kernel.h"
#include "ess_core/device/cuda/kernels/bench/bench_kernels.h"

namespace ess::ESS_CUDA::bench {
namespace {

#ifdef ESSBENCH_CUDA_EMULATED
constexpr int fill_threads = 32, fill_blocks = 1;
#else
constexpr int fill_threads = 256, fill_blocks = 1056;
#endif
constexpr int rate_threads = 256;
constexpr int chains = 8;  // of products that do not wait for each other

// The finaliser of MurmurHash3.
__device__ std::uint32_t mixed(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  return static_cast<std::uint32_t>(x >> 32);
}
__device__ std::uint32_t random_word(std::uint32_t seed, std::int64_t i) {
  return mixed((std::uint64_t{seed} << 40) + static_cast<std::uint64_t>(i) + 1);
}

__device__ std::int64_t first_index() { return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ std::int64_t index_stride() { return std::int64_t{gridDim.x} * blockDim.x; }

__global__ void __launch_bounds__(fill_threads) fill_words_kernel(fill_words_params p) {
  for (std::int64_t i = first_index(); i < p.count; i += index_stride()) {
    const std::uint32_t word = random_word(p.seed, i);
    const auto in_period = static_cast<std::int32_t>(i % p.period);
    p.words[i] = in_period < p.codes_end    ? word & 0xf7f7f7f7u
                 : in_period < p.scales_end ? p.scale
                                            : (word & 0x80ff80ffu) | 0x3f003f00u;
  }
}

__global__ void __launch_bounds__(fill_threads) fill_floats_kernel(fill_floats_params p) {
  for (std::int64_t i = first_index(); i < p.count; i += index_stride()) {
    const std::uint32_t a = random_word(p.seed, 2 * i), b = random_word(p.seed, 2 * i + 1);
    const std::uint32_t sum = (a & 0xffffu) + (a >> 16) + (b & 0xffffu) + (b >> 16);
    p.values[i] = static_cast<float>(sum) * 0x1p-16f - 2.0f;
  }
}

__device__ std::uint32_t random_pair(int i) {
  return (random_word(1, std::int64_t{threadIdx.x} * 8 + i) & 0x80ff80ffu) | 0x3f003f00u;
}

__global__ void __launch_bounds__(rate_threads, 2) product_rate_kernel(product_rate_params p) {
  const std::uint32_t a[4] = {random_pair(0), random_pair(1), random_pair(2), random_pair(3)};
  const std::uint32_t b[2] = {random_pair(4), random_pair(5)};
  float d[chains][4] = {};
  for (std::int32_t i = 0; i < p.rounds; ++i) {
#pragma unroll
    for (int c = 0; c < chains; ++c) mma_bf16(d[c], a, b);
  }
  float sum = 0;
#pragma unroll
  for (int c = 0; c < chains; ++c) sum += (d[c][0] + d[c][1]) + (d[c][2] + d[c][3]);
  p.out[first_index()] = sum;
}

}  // namespace

cudaError_t fill_words(const fill_words_params& p, cudaStream_t stream) {
  return launch(fill_words_kernel, dim3(fill_blocks), dim3(fill_threads), 0, stream, p);
}

cudaError_t fill_floats(const fill_floats_params& p, cudaStream_t stream) {
  return launch(fill_floats_kernel, dim3(fill_blocks), dim3(fill_threads), 0, stream, p);
}

cudaError_t product_rate(const product_rate_params& p, cudaStream_t stream) {
  return launch(product_rate_kernel, dim3(static_cast<unsigned>(p.blocks)), dim3(rate_threads), 0, stream, p);
}

double operations_of(const product_rate_params& p) {
  return 1.0 * p.blocks * (rate_threads / 32) * p.rounds * chains * (2.0 * 16 * 8 * 16);
}

}  // namespace ess::ESS_CUDA::bench
