// The checker of memory accesses: a part of a program whose kernels are compiled with -fsanitize=thread and
// which is linked without ThreadSanitizer's run-time library. It answers the calls that the compiler put
// before each access. ThreadSanitizer itself was tried first and left, because it allows 224 threads a block,
// misses races between blocks with g++ 12 and knows nothing of address spaces; this needs any g++ or clang++,
// costs about 0.2 us an access, and speaks of blocks and threads.
//
// The launch fails, with last_report() saying who and where, if
//   - two threads touch a word of shared or global memory, one writes, and no barrier, __syncwarp, or fence
//   with an
//     atomic orders the two (clocks.h); it need not go wrong in this run, the two need only both happen
//   - an access is not aligned to its size (of whole vectors: with g++)
//   - it is outside shared memory, device memory and mapped host memory: plain host memory, freed memory,
//   beyond an
//     allocation to the byte, another thread's local memory
// Static shared memory that this block has not written reads as NaN bytes. With a seed, threads are also
// switched between accesses. Not found: races between launches (streams), of more than a dozen unordered
// readers with one writer always; accesses in functions that are not compiled so (memcpy of large sizes); the
// scope of a fence (block, device, system).
//
// settings::dropped takes a barrier, __syncwarp, fence or wait for copies out of a kernel, for tests of
// tests. A defect that wants other source text goes behind a macro in the kernel.
#pragma once

namespace ess::emulation {

// Called by the compiler's initialisation of each such file.
void install_checker();

}  // namespace ess::emulation
