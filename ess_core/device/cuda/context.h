// What the operations of the CUDA device work on. Addresses are the device's unless they say otherwise.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "ess_core/cache/pool_memory.h"
#include "ess_core/device/cuda/exchange.h"
#include "ess_core/device/cuda/kernels/flash_gather.h"
#include "ess_core/device/cuda/kernels/index_codec.h"
#include "ess_core/device/cuda/runtime.h"
#include "ess_core/device/cuda/weights.h"
#include "ess_core/device/device.h"

namespace ess::ESS_CUDA {

inline constexpr std::size_t buffer_count = static_cast<std::size_t>(buffer_id::expert_output) + 1;

// Of a kernel that moves rows over the link: enough to have the bytes on their way that fill it, and few
// enough to leave the GPU to the kernels beside it (docs/kernels.md).
[[nodiscard]] constexpr std::int32_t gather_blocks(int multiprocessors) {
  return std::max(1, std::min(16, multiprocessors / 4));
}

struct context {
  memory_layout layout;
  std::shared_ptr<const model_weights> weights;
  int multiprocessors = 0;
  bool batched_copies = false;
  std::array<device_memory, buffer_count> buffers;  // but host_latents
  pinned_memory host_latents;
  // Scratch of the compute stream: two of [lanes][widest] f32, as on the CPU device; what kernels need
  // beside.
  device_memory narrow, wide, linear_scratch, attend_scratch, topk_scratch;
  device_memory rope_cos, rope_sin;           // [max context][rope / 2] f32
  std::vector<std::int64_t> first_row;        // [copies] of `latents`
  std::vector<std::int64_t> first_pool_byte;  // [layers]
  std::vector<seat_state> seats;              // on the host, as written last
  pinned_memory read_back;                    // the lists of misses, on the host
  // Experts.
  communicator* ranks = nullptr;  // null: all are here
  expert_range experts_here;
  std::unique_ptr<rank_exchange> exchange;   // from the first step on that needs it: making it is collective
  device_memory network_scratch;             // of the network stream: [lanes][hidden] f32
  std::vector<std::int32_t> starts;          // [seats][experts + 2], on the host: see expert_starts
  std::vector<std::int32_t> arrived_counts;  // [seats][ranks][experts here], on the host
  pinned_memory arrived_starts_host;         // [seats][ranks][experts here + 1]: first rows, then the end
  device_memory arrived_starts;              // the same
  expert_traffic traffic;                    // of the running step

  [[nodiscard]] const model_dims& model() const { return layout.model; }
  [[nodiscard]] std::int32_t queries() const { return layout.shape.query_tokens; }
  [[nodiscard]] std::int64_t lanes() const { return std::int64_t{layout.shape.seats} * queries(); }
  [[nodiscard]] std::int32_t row_bytes() const {
    return static_cast<std::int32_t>(model().latent_row_bytes().value);
  }
  [[nodiscard]] const layer_weights& weights_of(const operation& op) const {
    return weights->layers[static_cast<std::size_t>(op.layer)];
  }

  template <class T>
  [[nodiscard]] T* at(buffer_id buffer, std::int64_t element = 0) const {
    std::byte* bytes = buffer == buffer_id::host_latents ? host_latents.on_device()
                                                         : buffers[static_cast<std::size_t>(buffer)].data();
    return reinterpret_cast<T*>(bytes) + element;
  }
  [[nodiscard]] float* narrow_scratch() const { return reinterpret_cast<float*>(narrow.data()); }
  [[nodiscard]] float* wide_scratch() const { return reinterpret_cast<float*>(wide.data()); }

  [[nodiscard]] lane_slice lanes_of(batch_slice slice) const {
    return {at<seat_state>(buffer_id::seats), slice.first, slice.count, queries()};
  }
  [[nodiscard]] rotation_table rotation() const {
    return {reinterpret_cast<const float*>(rope_cos.data()), reinterpret_cast<const float*>(rope_sin.data())};
  }
  [[nodiscard]] std::int32_t copy_of(std::int32_t layer) const { return layer % layout.latent_copies; }
  [[nodiscard]] device_rows rows_of(std::int32_t layer) const {
    const std::int32_t copy = copy_of(layer);
    const std::uint32_t weight = layout.layer_weights.empty()
                                     ? static_cast<std::uint32_t>(one_weight)
                                     : layout.layer_weights[static_cast<std::size_t>(copy)];
    return {at<std::uint8_t>(buffer_id::latents, first_row[static_cast<std::size_t>(copy)] * row_bytes()),
            at<std::uint8_t>(buffer_id::staging), row_bytes(), weight};
  }
  [[nodiscard]] pool_columns pools_of(std::int32_t layer) const;
  [[nodiscard]] std::uint8_t* host_rows_of(std::int32_t layer) const {
    return at<std::uint8_t>(buffer_id::host_latents, layer * layout.host_rows * layout.host_row_pitch);
  }
  [[nodiscard]] row_source host_source(std::int32_t layer) const {
    return {host_rows_of(layer), layout.host_row_pitch, true};
  }
  [[nodiscard]] row_source landing_source(std::int32_t layer) const {
    return {at<std::uint8_t>(buffer_id::landing, layer * layout.landing_rows * row_bytes()), row_bytes(),
            false};
  }
  [[nodiscard]] row_counters* counters_of(std::int32_t layer) const {
    return at<row_counters>(buffer_id::counters, std::int64_t{layer} * layout.shape.seats);
  }
  [[nodiscard]] std::int64_t misses_per_seat() const { return queries() * (model().top_k + std::int64_t{1}); }
  [[nodiscard]] std::uint8_t* index_pages_of(std::int32_t layer) const {
    return at<std::uint8_t>(buffer_id::index_keys,
                            layer * layout.index_tokens * model().index_key_bytes().value);
  }
  [[nodiscard]] token_id* selected_of(std::int32_t layer) const {
    return at<token_id>(buffer_id::selected, layer * lanes() * model().top_k);
  }
  [[nodiscard]] std::uint8_t* latent_new_of(std::int32_t layer) const {
    return at<std::uint8_t>(buffer_id::latent_new, layer * lanes() * row_bytes());
  }
  [[nodiscard]] std::int32_t gather_blocks() const { return ESS_CUDA::gather_blocks(multiprocessors); }
};

// Each launches one operation on `on`. By file: projections.cpp, experts.cpp, selection.cpp, movement.cpp.
using launcher = void (*)(context& c, const operation& op, const stream& on);
// Null for a kind that the device cannot do.
[[nodiscard]] launcher launcher_of(op_kind kind);

void project_index(context& c, const operation& op, const stream& on);
void project_attention(context& c, const operation& op, const stream& on);
void output(context& c, const operation& op, const stream& on);
void feed_forward(context& c, const operation& op, const stream& on);
void draft(context& c, const operation& op, const stream& on);

void route(context& c, const operation& op, const stream& on);
void dispatch(context& c, const operation& op, const stream& on);
void run_experts(context& c, const operation& op, const stream& on);
void combine(context& c, const operation& op, const stream& on);

void append_key(context& c, const operation& op, const stream& on);
void score_index_keys(context& c, const operation& op, const stream& on);
void select_rows(context& c, const operation& op, const stream& on);
void resolve_rows(context& c, const operation& op, const stream& on);
void attend_rows(context& c, const operation& op, const stream& on);
void merge_parts(context& c, const operation& op, const stream& on);

void read_back_misses(context& c, const operation& op, const stream& on);
void append_row(context& c, const operation& op, const stream& on);
void write_back(context& c, const operation& op, const stream& on);
void fetch(context& c, const operation& op, const stream& on);
void fetch_by_call(context& c, const operation& op, const stream& on);
void stream_layer(context& c, const operation& op, const stream& on);
void fill_pool(context& c, const operation& op, const stream& on);
void take_landed(context& c, const operation& op, const stream& on);
void store_landed(context& c, const operation& op, const stream& on);

}  // namespace ess::ESS_CUDA
