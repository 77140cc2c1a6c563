// What a test may ask of the stand-in beyond CUDA's interface.
//
// The stand-in runs kernels on the CPU, for tests on machines without a GPU: a CUDA thread is a fiber, a warp
// operation or a barrier is where fibers meet, __shared__ is thread_local (an OS thread runs one block at a
// time), and the runtime's calls are answered here. A shuffle or barrier costs 20 to 40 ns a thread, a thread
// 50 ns, a launch 0.5 us.
//
// What finds what:
// - Always: deadlock, divergent barrier, wrong mask, inactive lane, endless polling (the launch fails and
//   last_report() says where); an asynchronous copy that is not waited for; memory that was never written
//   (it is NaN bytes, static shared memory excepted); kernels that leave an allocation by more than its
//   padding to 256 bytes; hosts that dereference device memory (on x86 with protection keys); directions,
//   ranges and handles of calls; calls that are illegal while a stream is captured; leaks (count_live).
// - settings::seed: results that depend on the order of threads.
// - settings::lazy_streams: a missing wait or dependency between streams, events and graphs.
// - ESSBENCH_SANITIZE=address,undefined: out of bounds to the byte; in static shared memory by a wrong index.
// - The checker (checker.h): races, missing fences, misaligned accesses, plain host memory in kernels.
// Nothing finds: races between kernels of two streams, a fence of too narrow a scope, a block larger than
// __launch_bounds__, what nvcc makes of the source, speed. Sums of tensor cores, contraction to FMA and
// __expf differ from a GPU's in the last bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ess_core/device/cuda/emulation/cuda_runtime.h"

namespace ess::emulation {

struct settings {
  int workers = 1;                    // OS threads that run blocks. ESSBENCH_CUDA_WORKERS
  std::optional<std::uint64_t> seed;  // of a random order of threads; none: in turn. ESSBENCH_CUDA_SEED
  int accesses_between_switches = 0;  // mean, of the checker with a seed; 0: switch only where threads wait
  bool lazy_streams = false;          // work runs when something waits for it. ESSBENCH_CUDA_LAZY=1
  // "merge.cu:41": a __syncthreads, __syncwarp, fence or wait for asynchronous copies that is left out, to
  // see whether the tests find it. ESSBENCH_CUDA_DROP
  std::string dropped;
  bool fill = true;                                 // fresh device, pinned and dynamic shared memory is 0xFF
  std::size_t fill_limit = std::size_t{256} << 20;  // bytes; a larger allocation is not filled

  // The GPU that is played.
  std::string name = "CPU stand-in";
  std::size_t device_memory = std::size_t{8} << 30;
  std::size_t shared_memory = 48 * 1024;
  std::size_t shared_memory_optin = 227 * 1024;
  int multiprocessors = 4;
  int major = 9, minor = 0;
};

// Change it while nothing runs. It begins as the environment says; so it does again after reset().
settings& stand_in_settings();

// Kinds of runtime calls that can be told to fail. `kernel` is a launch that succeeds and fails while it
// runs.
enum class call {
  any,
  allocation,
  host_allocation,
  copy,
  launch,
  kernel,
  stream,
  event,
  graph,
  synchronize,
  other
};
// The n-th call of this kind from now, 1 = the next, returns `error`. A failed kernel's error stays (is
// sticky).
void fail_at(call kind, int n, cudaError_t error);
// Calls of this kind since the last reset.
std::int64_t calls_made(call kind);

// What was created and not yet destroyed.
struct live_objects {
  int allocations = 0, host_allocations = 0, registrations = 0;
  int streams = 0, events = 0, graphs = 0, executable_graphs = 0;
  friend bool operator==(const live_objects&, const live_objects&) = default;
};
live_objects count_live();

// Whether this program holds the checker of memory accesses (checker.h): tests may be smaller then.
bool checks_accesses();
// Whether a kernel that touches an illegal address fails its launch; with a sanitizer it ends the program.
bool survives_illegal_addresses();
// Whether a host that dereferences device memory is stopped here.
bool protects_device_memory();

// Why the last kernel failed, with file, line and threads; empty if none has since the last reset.
std::string last_report();

// Clears errors, sticky ones too, planned failures, counts of calls and settings. Objects stay.
void reset();

}  // namespace ess::emulation
