#include "ess_core/device/cuda/emulation/runtime.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "ess_core/device/cuda/emulation/graphs.h"
#include "ess_core/device/cuda/emulation/memory.h"
#include "ess_core/device/cuda/emulation/streams.h"

namespace ess::emulation {

thread_local bool in_host_function = false;

namespace {

struct planned_failure {
  std::int64_t at_call = 0;  // 0: none
  cudaError_t error = cudaSuccess;
};
struct call_record {
  std::int64_t made = 0;
  planned_failure planned;
};

struct runtime_state {
  std::mutex mutex;
  std::array<call_record, static_cast<std::size_t>(call::other) + 1> calls;
  cudaError_t sticky = cudaSuccess;
  std::string report;
};
runtime_state& state() {
  static auto& s = *new runtime_state;
  return s;
}
thread_local cudaError_t last_error = cudaSuccess;

call_record& record_of(call kind) { return state().calls[static_cast<std::size_t>(kind)]; }

cudaError_t count_call(call kind) {
  call_record& r = record_of(kind);
  const bool fails = ++r.made == r.planned.at_call;
  return fails ? r.planned.error : cudaSuccess;
}

settings settings_of_environment() {
  settings s;
  if (const char* const workers = std::getenv("ESSBENCH_CUDA_WORKERS")) s.workers = std::atoi(workers);
  if (const char* const seed = std::getenv("ESSBENCH_CUDA_SEED")) {
    s.seed = std::strtoull(seed, nullptr, 10);
    s.accesses_between_switches = 50;
  }
  if (const char* const site = std::getenv("ESSBENCH_CUDA_DROP")) s.dropped = site;
  s.lazy_streams = std::getenv("ESSBENCH_CUDA_LAZY") != nullptr;
  return s;
}

}  // namespace

std::mutex& runtime_mutex() { return state().mutex; }

cudaError_t refuse(call kind, capture_rule rule) {
  const cudaError_t planned = count_call(kind), planned_for_any = count_call(call::any);
  if (state().sticky != cudaSuccess) return state().sticky;
  if (planned != cudaSuccess) return planned;
  if (planned_for_any != cudaSuccess) return planned_for_any;
  return rule == capture_rule::forbidden ? refuse_while_capturing() : cudaSuccess;
}

cudaError_t remember(cudaError_t e) {
  if (e != cudaSuccess) last_error = e;
  return e;
}

cudaError_t sticky_error() { return state().sticky; }

void set_sticky_error(cudaError_t e, const std::string& report) {
  if (state().sticky != cudaSuccess) return;
  state().sticky = e;
  state().report = report;
  std::fprintf(stderr, "kernel failed: %s\n", report.c_str());
}

cudaError_t planned_kernel_failure() { return count_call(call::kernel); }

settings& stand_in_settings() {
  static auto& s = *new settings(settings_of_environment());
  return s;
}

void fail_at(call kind, int n, cudaError_t error) {
  const std::lock_guard lock(runtime_mutex());
  record_of(kind).planned = {record_of(kind).made + n, error};
}

std::int64_t calls_made(call kind) {
  const std::lock_guard lock(runtime_mutex());
  return record_of(kind).made;
}

live_objects count_live() {
  const std::lock_guard lock(runtime_mutex());
  const memory_counts memory = count_memory();
  live_objects live{
      .allocations = memory.device, .host_allocations = memory.pinned, .registrations = memory.registered};
  count_streams(live);
  count_graphs(live);
  return live;
}

std::string last_report() {
  const std::lock_guard lock(runtime_mutex());
  return state().report;
}

void reset() {
  const std::lock_guard lock(runtime_mutex());
  state().calls = {};
  state().sticky = cudaSuccess;
  state().report.clear();
  last_error = cudaSuccess;
  stand_in_settings() = settings_of_environment();
}

cudaError_t cudaGetLastError() {
  const cudaError_t e = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return e;
}

cudaError_t cudaPeekAtLastError() {
  const std::lock_guard lock(runtime_mutex());
  return sticky_error() != cudaSuccess ? sticky_error() : last_error;
}

}  // namespace ess::emulation
