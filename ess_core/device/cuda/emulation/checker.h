// The checker of memory accesses: a part of a program whose kernels are compiled with -fsanitize=thread and
// which is linked without ThreadSanitizer's run-time library. It answers the calls that the compiler put
// before each access. ThreadSanitizer itself was tried first and left: it allows 224 threads a block, misses
// races between blocks with g++ 12 and knows nothing of address spaces. This needs any g++ or clang++, costs
// about 60 ns an access, and speaks of blocks and threads.
//
// The launch fails, with last_report() saying who and where, for
// - a race: two threads touch a word of shared or global memory, one writes, and no barrier, __syncwarp, or
//   fence with an atomic orders the two (clocks.h). It need not go wrong in this run; both need to happen.
// - an access that is not aligned to its size (of whole vectors: with g++).
// - an access outside shared memory, device memory and mapped host memory: plain host memory, freed memory,
//   beyond an allocation to the byte, another thread's local memory.
// Static shared memory that this block has not written reads as NaN bytes. With a seed, threads are also
// switched between accesses.
//
// Not found: races between launches (streams); with more than a dozen unordered readers of a word, a race of
// one of them with a writer that is ordered after the others; accesses in functions that are not compiled so
// (memcpy of large sizes); a fence of too narrow a scope (block, device, system).
//
// settings::dropped takes a barrier, __syncwarp, fence or wait for copies out of a kernel, for tests of
// tests. A defect that wants other source text goes behind a macro in the kernel.
#pragma once

namespace ess::emulation {

// Called by the compiler's initialisation of each such file.
void install_checker();

}  // namespace ess::emulation
