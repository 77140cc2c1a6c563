// Which of a step's rows the device holds, which it lacks, and which leave for them: the Sparse Memory Pool
// of every request of a slice. Semantics and memory are those of ess_core/cache/sparse_pool.h, and so are the
// results, slot for slot; only the entries of the LRU log differ, in number and not in order.
#pragma once

#include "ess_core/cache/pool_memory.h"
#include "ess_core/device/cuda/kernels/kernel_work.h"
#include "ess_core/device/cuda/kernels/lanes.h"

namespace ess::ESS_CUDA {

// The columns of a layer's pools (ess::memory_layout); a seat has its header at `home`, its map at
// `map_base`, and of the columns by slot an extent of `rows.rows_in(device_base)`.
struct pool_columns {
  pool_header* headers;  // [seats]
  slot_id* slot_of;      // [map tokens]
  token_id* token_of;    // [slots]
  std::uint32_t* stamp;  // [slots]
  slot_id* order;        // [slots x entries a slot]
};

struct resolve_params {
  lane_slice lanes;
  device_rows rows;    // for the size of a pool only
  pool_kind kind;      // none, lru, clock or hash_scan
  pool_columns pools;  // not for none
  std::int32_t top_k;
  const token_id* selected;      // [lanes][top_k], each ascending, -1 padded at the end
  row_location* locations;       // [lanes][top_k]
  std::uint8_t* misses;          // [seats] records: count in 8 bytes, then row_miss entries
  std::int64_t misses_per_seat;  // entries of a record
  row_counters* counters;        // [seats]
};

[[nodiscard]] bool can_resolve(pool_kind kind);
// One block a request: the parts of a step that depend on each other are short (docs/kernels.md), and a batch
// has many requests.
cudaError_t resolve(const resolve_params& params, cudaStream_t stream);

struct reset_pool_params {
  pool_kind kind;
  pool_columns pools;  // of one layer
  std::int32_t home;
  std::int64_t map_base, map_tokens;
  std::int64_t first_slot, slots;
  std::int32_t order_entries;  // a slot
};
// Empties the pool of one request and layer.
cudaError_t reset_pool(const reset_pool_params& params, cudaStream_t stream);

// For `asked` ids a request, `missed` of which are not there; of the map, the lists and the log, not of rows.
[[nodiscard]] kernel_work work_of_resolve(pool_kind kind, std::int64_t seats, std::int64_t asked,
                                          std::int64_t missed, std::int64_t pool_rows);

}  // namespace ess::ESS_CUDA
