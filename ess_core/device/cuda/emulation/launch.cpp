#include "ess_core/device/cuda/emulation/launch.h"

#include <signal.h>
#include <ucontext.h>

#include <cstring>
#include <map>
#include <thread>

#include "ess_core/device/cuda/emulation/block.h"
#include "ess_core/device/cuda/emulation/checker_hooks.h"
#include "ess_core/device/cuda/emulation/memory.h"
#include "ess_core/device/cuda/emulation/runtime.h"
#include "ess_core/device/cuda/emulation/sanitizers.h"
#include "ess_core/device/cuda/emulation/source_line.h"
#include "ess_core/device/cuda/emulation/streams.h"

namespace ess::emulation {

access_checker* checker = nullptr;

namespace {

// Dynamic shared memory that a kernel may have, where more than the default.
std::map<const void*, std::size_t>& shared_limits() {
  static auto& limits = *new std::map<const void*, std::size_t>;
  return limits;
}

// Blocks keep their stacks from launch to launch.
class block_pool {
 public:
  std::unique_ptr<block> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<block>();
    std::unique_ptr<block> b = std::move(free_.back());
    free_.pop_back();
    return b;
  }
  void give_back(std::unique_ptr<block> b) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(b));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<block>> free_;
};
block_pool& blocks() {
  static auto& pool = *new block_pool;
  return pool;
}

std::uint64_t volume(dim3 d) { return std::uint64_t{d.x} * d.y * d.z; }

cudaError_t check_launch(const kernel_launch& l) {
  const std::uint64_t threads = volume(l.block);
  if (threads == 0 || threads > 1024 || l.block.z > 64) return cudaErrorInvalidConfiguration;
  if (volume(l.grid) == 0 || l.grid.x > 0x7fffffff || l.grid.y > 65535 || l.grid.z > 65535) {
    return cudaErrorInvalidConfiguration;
  }
  const auto own = shared_limits().find(l.kernel);
  const std::size_t usual = stand_in_settings().shared_memory;
  const std::size_t limit = own == shared_limits().end() ? usual : std::max(usual, own->second);
  return l.shared_bytes > limit ? cudaErrorInvalidValue : cudaSuccess;
}

std::string source_of_fault(const void* context) {
#ifdef __x86_64__
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  return " at " + source_of(reinterpret_cast<const void*>(registers[REG_RIP] + 1));
#else
  return context != nullptr ? "" : "";
#endif
}

// A page that a kernel may not touch, or the trap that the checker's programs have before misaligned
// accesses: the launch fails as on a GPU. A host that touches device memory ends.
void on_bad_access(int signal, siginfo_t* info, void* context) {
  if (block_thread* const t = running_thread()) {
    if (signal == SIGILL)
      abandon(*t, cudaErrorMisalignedAddress, "misaligned address" + source_of_fault(context));
    abandon(
        *t, cudaErrorIllegalAddress,
        "illegal address " + hex(reinterpret_cast<std::uintptr_t>(info->si_addr)) + source_of_fault(context));
  }
  const allocation* const a = signal == SIGILL ? nullptr : find_allocation(info->si_addr);
  if (a != nullptr && a->kind == memory_kind::device) {
    std::fprintf(stderr, "the host dereferences device memory at %p\n", info->si_addr);
  }
  ::signal(signal, SIG_DFL);  // and again
}

void catch_bad_accesses() {
  if (!survives_illegal_addresses()) return;
  struct sigaction action {};
  action.sa_sigaction = on_bad_access;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
  if (checker != nullptr) sigaction(SIGILL, &action, nullptr);
}

void run_blocks(grid& g) {
  std::unique_ptr<block> b = blocks().take();
  const std::uint64_t count = volume(g.size);
  while (!g.failed) {
    const std::uint64_t next = g.next_block++;
    if (next >= count) break;
    run_block(*b, g, next);
  }
  blocks().give_back(std::move(b));
}

void run_grid(grid& g) {
  static const bool caught = (catch_bad_accesses(), true);
  static_cast<void>(caught);
  if (checker != nullptr) checker->launch_begins(g);
  const device_access access;
  const int helpers = checker != nullptr ? 0 : stand_in_settings().workers - 1;
  std::vector<std::thread> threads;
  for (int i = 0; i < helpers; ++i) threads.emplace_back([&] { run_blocks(g); });
  run_blocks(g);
  for (std::thread& t : threads) t.join();
}

void execute(const kernel_launch& l, const void* params) {
  if (const cudaError_t planned = planned_kernel_failure()) {
    set_sticky_error(planned, "planned failure of a kernel");
    return;
  }
  grid g{.entry = l.entry,
         .kernel = l.kernel,
         .params = params,
         .size = l.grid,
         .block_size = l.block,
         .shared_bytes = l.shared_bytes};
  run_grid(g);
  if (g.failed) set_sticky_error(g.error, g.report);
}

}  // namespace

// Sanitizers have handlers of their own.
bool survives_illegal_addresses() { return !address_sanitizer() && !thread_sanitizer(); }
bool checks_accesses() { return checker != nullptr; }

cudaError_t enqueue(const kernel_launch& l, cudaStream_t stream, const void* params,
                    std::size_t param_bytes) {
  return answer(call::launch, capture_rule::allowed, [&] {
    if (const cudaError_t e = check_launch(l)) return e;
    std::vector<std::max_align_t> copy(param_bytes / sizeof(std::max_align_t) + 1);
    std::memcpy(copy.data(), params, param_bytes);
    return enqueue(stream, [l, copy] { execute(l, copy.data()); });
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return answer(call::other, capture_rule::allowed, [&] {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorNotSupported;
    if (value < 0 || static_cast<std::size_t>(value) > stand_in_settings().shared_memory_optin) {
      return cudaErrorInvalidValue;
    }
    shared_limits()[kernel] = static_cast<std::size_t>(value);
    return cudaSuccess;
  });
}

}  // namespace ess::emulation
