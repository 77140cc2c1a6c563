// The pool as the shipped engines keep it, made from the description of their kernel (HiSparse: SGLang pull
// request 20343, arXiv 2608.07009; vLLM pull request 53781). It is here to be measured against.
//
// There is no map from tokens to slots. A step
//   1. hashes the rows that it asks for,
//   2. walks over all slots in LRU order and asks the hash about the row of each: a hit, or stale,
//   3. walks over the rows again: those that no slot holds missed; they, then the new tokens, take the slots
//      of the first stale rows,
//   4. writes the whole LRU array anew:
//        [stale rows that stay | missed rows in order of use | new tokens | hits in their old order]
// That is O(selected ids + slots) a step, however few rows miss. Memory beside the rows: 6 bytes a slot, and
// scratch for one step, which is shared memory on a GPU.
//
// Everything else is what ess_core/cache/sparse_pool.h promises of any pool.
#pragma once

#include "ess_core/cache/sparse_pool.h"

namespace ess::hash_scan {

// Beside what `reset` does for every pool: all slots are free.
void clear(const pool_view& pool);
void resolve(const pool_view& pool, const resolve_input& in, resolve_output& out);

}  // namespace ess::hash_scan
