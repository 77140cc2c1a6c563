#include "ess_core/device/cuda/runtime.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace ess::ESS_CUDA {
namespace {

// Prefers memory of a NUMA node for what this thread allocates while it lives (set_mempolicy(2)). A kernel
// that refuses changes nothing: the node is a wish.
class preferred_node {
 public:
  explicit preferred_node(int node) : active_(node >= 0 && node < 64) {
    constexpr int preferred = 1;
    std::uint64_t mask = active_ ? std::uint64_t{1} << node : 0;
    if (active_) active_ = syscall(SYS_set_mempolicy, preferred, &mask, 65) == 0;
  }
  preferred_node(const preferred_node&) = delete;
  preferred_node& operator=(const preferred_node&) = delete;
  ~preferred_node() {
    constexpr int default_policy = 0;
    if (active_) syscall(SYS_set_mempolicy, default_policy, nullptr, 0);
  }

 private:
  bool active_;
};

int host_node_of_current_device() {
  int ordinal = 0;
  int node = -1;
  check("cudaGetDevice", cudaGetDevice(&ordinal));
  if (cudaDeviceGetAttribute(&node, cudaDevAttrHostNumaId, ordinal) != cudaSuccess) {
    (void)cudaGetLastError();
    return -1;
  }
  return node;
}

}  // namespace

cuda_error::cuda_error(std::string_view call, cudaError_t error, const std::source_location& where)
    : std::runtime_error(fmt::format("{}: {} ({}) at {}:{}", call, cudaGetErrorString(error),
                                     cudaGetErrorName(error), where.file_name(), where.line())),
      code_(error) {}

void check(std::string_view call, cudaError_t error, const std::source_location& where) {
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();  // what is not sticky is not to show up at the next launch
  throw cuda_error(call, error, where);
}

namespace detail {

void log_failure(std::string_view call, cudaError_t error) noexcept {
  if (error == cudaSuccess) return;
  (void)cudaGetLastError();
  std::fprintf(stderr, "essbench: %.*s: %s\n", static_cast<int>(call.size()), call.data(),
               cudaGetErrorString(error));
}

void destroy::operator()(cudaStream_t s) const noexcept {
  log_failure("cudaStreamDestroy", cudaStreamDestroy(s));
}
void destroy::operator()(cudaEvent_t e) const noexcept {
  log_failure("cudaEventDestroy", cudaEventDestroy(e));
}
void destroy::operator()(cudaGraphExec_t g) const noexcept {
  log_failure("cudaGraphExecDestroy", cudaGraphExecDestroy(g));
}

}  // namespace detail

device_guard::device_guard(int ordinal) {
  check("cudaGetDevice", cudaGetDevice(&before_));
  check(fmt::format("cudaSetDevice({})", ordinal), cudaSetDevice(ordinal));
}

device_guard::~device_guard() { detail::log_failure("cudaSetDevice", cudaSetDevice(before_)); }

stream::stream() {
  cudaStream_t s = nullptr;
  check("cudaStreamCreateWithFlags", cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  handle_.reset(s);
}

void stream::synchronize() const { check("cudaStreamSynchronize", cudaStreamSynchronize(get())); }

event::event(timing t) {
  cudaEvent_t e = nullptr;
  check("cudaEventCreateWithFlags",
        cudaEventCreateWithFlags(&e, t == timing::on ? cudaEventDefault : cudaEventDisableTiming));
  handle_.reset(e);
}

void event::record(const stream& on) const { check("cudaEventRecord", cudaEventRecord(get(), on.get())); }

void event::synchronize() const { check("cudaEventSynchronize", cudaEventSynchronize(get())); }

microseconds event::since(const event& earlier) const {
  float ms = 0;
  check("cudaEventElapsedTime", cudaEventElapsedTime(&ms, earlier.get(), get()));
  return microseconds(1e3 * static_cast<double>(ms));
}

void graph::begin(const stream& on) {
  check("cudaStreamBeginCapture", cudaStreamBeginCapture(on.get(), cudaStreamCaptureModeThreadLocal));
}

void graph::abandon(const stream& on) noexcept {
  cudaGraph_t captured = nullptr;
  (void)cudaStreamEndCapture(on.get(), &captured);
  if (captured != nullptr) (void)cudaGraphDestroy(captured);
  (void)cudaGetLastError();
}

void graph::end(const stream& on) {
  cudaGraph_t captured = nullptr;
  check("cudaStreamEndCapture", cudaStreamEndCapture(on.get(), &captured));
  cudaGraphExec_t ready = nullptr;
  const cudaError_t made = cudaGraphInstantiate(&ready, captured, 0);
  detail::log_failure("cudaGraphDestroy", cudaGraphDestroy(captured));
  check("cudaGraphInstantiate", made);
  handle_.reset(ready);
  check("cudaGraphUpload", cudaGraphUpload(ready, on.get()));  // so that the first launch is like all others
}

void graph::launch(const stream& on) const {
  check("cudaGraphLaunch", cudaGraphLaunch(handle_.get(), on.get()));
}

device_memory::device_memory(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  void* p = nullptr;
  check(fmt::format("cudaMalloc of {}", to_string(byte_count{static_cast<std::int64_t>(bytes)})),
        cudaMalloc(&p, bytes));
  data_.reset(static_cast<std::byte*>(p));
}

void device_memory::release::operator()(std::byte* p) const noexcept {
  detail::log_failure("cudaFree", cudaFree(p));
}

pinned_memory::pinned_memory(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  const preferred_node node(host_node_of_current_device());
  void* p = nullptr;
  check(fmt::format("cudaHostAlloc of {}", to_string(byte_count{static_cast<std::int64_t>(bytes)})),
        cudaHostAlloc(&p, bytes, cudaHostAllocMapped | cudaHostAllocPortable));
  data_.reset(static_cast<std::byte*>(p));
  void* mapped = nullptr;
  check("cudaHostGetDevicePointer", cudaHostGetDevicePointer(&mapped, p, 0));
  on_device_ = static_cast<std::byte*>(mapped);
}

void pinned_memory::release::operator()(std::byte* p) const noexcept {
  detail::log_failure("cudaFreeHost", cudaFreeHost(p));
}

int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return count;
}

cuda_gpu describe_gpu(int ordinal) {
  cudaDeviceProp p{};
  check(fmt::format("cudaGetDeviceProperties({})", ordinal), cudaGetDeviceProperties(&p, ordinal));
  cuda_gpu out{.name = p.name,
               .compute_major = p.major,
               .compute_minor = p.minor,
               .multiprocessors = p.multiProcessorCount,
               .memory = {static_cast<std::int64_t>(p.totalGlobalMem)}};
  const device_guard on(ordinal);
  out.numa_node = host_node_of_current_device();
  check("cudaRuntimeGetVersion", cudaRuntimeGetVersion(&out.runtime_version));
  check("cudaDriverGetVersion", cudaDriverGetVersion(&out.driver_version));
  return out;
}

byte_count free_device_memory() {
  std::size_t free = 0;
  std::size_t total = 0;
  check("cudaMemGetInfo", cudaMemGetInfo(&free, &total));
  return {static_cast<std::int64_t>(free)};
}

}  // namespace ess::ESS_CUDA
