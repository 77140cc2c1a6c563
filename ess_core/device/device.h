// What a device is to the engine: memory in two tiers, and something that executes step programs.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/base/units.h"
#include "ess_core/device/seat_state.h"
#include "ess_core/model/dims.h"
#include "ess_core/step/operation.h"
#include "ess_core/step/pool_kind.h"
#include "ess_core/step/program_builder.h"

namespace ess {

enum class memory_tier : std::uint8_t { device, host };
// What a time was taken with. A virtual time never poses as a measured one.
enum class clock_kind : std::uint8_t { wall, cuda_event, virtual_clock };

[[nodiscard]] std::string_view to_string(memory_tier tier);
[[nodiscard]] std::string_view to_string(clock_kind clock);

// The link between the tiers, where the device has to imitate it (the CPU device: both tiers are one DRAM).
struct link_settings {
  bool paced = false;
  double gather_gb_per_s = 0;  // rows gathered by one kernel
  double copy_gb_per_s = 0;    // large blocks by copy engine
  double call_us = 0;          // cost of one copy call

  friend bool operator==(const link_settings&, const link_settings&) = default;
};

// Everything a device allocates for a batch.
struct memory_layout {
  model_dims model;
  batch_shape shape;
  byte_count weights;             // this device's share
  token_id max_context = 0;       // longest request, its last token included
  std::int64_t index_tokens = 0;  // per layer, all requests, whole pages of 64
  std::int64_t device_rows = 0;   // per copy of `latents`, all requests
  std::int32_t latent_copies = 0;
  std::int64_t staging_rows = 0;
  std::int64_t landing_rows = 0;    // per layer
  std::int64_t host_rows = 0;       // per layer
  std::int32_t host_row_pitch = 0;  // bytes from one host row to the next, >= row
  std::int64_t map_tokens = 0;      // per layer; tokens that the pools' maps cover
  std::int32_t prefetch_rows = 0;   // per seat and layer
  std::int32_t ranks = 1;           // over which the routed experts are spread, all with such a layout
  pool_kind pool = pool_kind::none;
  // Pools of layers may differ in size: a layer has weight / one_weight times the rows that `device_rows`,
  // here and in a seat, name, rounded down. Empty: all layers alike.
  std::vector<std::uint32_t> layer_weights = {};

  [[nodiscard]] std::int64_t lanes() const { return std::int64_t{shape.seats} * shape.query_tokens; }
  // Rows of `expert_input`, and of `expert_output`: this rank's lanes, grouped by expert; behind them, if
  // there are other ranks, what arrives from all of them, as many for each lane here at most.
  [[nodiscard]] std::int64_t own_expert_rows() const { return lanes() * model.experts_per_token(); }
  [[nodiscard]] std::int64_t arrived_rows_per_lane() const {
    return ranks > 1 ? std::int64_t{ranks} * most_copies_to_a_rank(model.moe, ranks) : 0;
  }

  [[nodiscard]] std::int64_t rows_in(std::int32_t copy, std::int64_t rows) const {
    if (layer_weights.empty()) return rows;
    return rows * layer_weights[static_cast<std::size_t>(copy)] / one_weight;
  }
  // Rows of `latents` before those of a copy.
  [[nodiscard]] std::int64_t rows_before(std::int32_t copy) const;
};

struct memory_item {
  std::string_view what;  // "weights", "indexer keys", "latents", ...
  memory_tier tier = memory_tier::device;
  byte_count bytes;
};

// A row of `latents` or of `staging`.
struct row_place {
  buffer_id buffer;
  std::int64_t row = 0;
};
// What a location, with or without flag, means to a seat in a layer. By token: the token's number.
[[nodiscard]] row_place place_of(const memory_layout& layout, const seat_state& seat, std::int32_t layer,
                                 row_location location);

struct op_timing {
  microseconds start{};  // since the step began
  microseconds end{};
};

// What a step's experts had to do, of all layers; empty where the device does not count it.
struct expert_traffic {
  std::vector<std::int64_t> rows_by_expert;  // of this rank's tokens
  std::int64_t rows_here = 0;                // that the experts of this rank computed, of all ranks' tokens
  std::int64_t bytes_sent = 0;               // to other ranks
};

struct step_timing {
  microseconds total{};
  std::vector<op_timing> operations;  // one for each of the program; none where only the whole was timed
  microseconds link_late{};           // what a paced link could not keep up with, after crediting
  // Whether `total` is what the step takes. Not where it was taken apart to time its operations, on a device
  // that else runs it as one.
  bool is_sample = true;
  expert_traffic experts{};
};

class out_of_memory : public std::runtime_error {
 public:
  out_of_memory(memory_tier tier, std::string_view what, byte_count asked, byte_count used,
                byte_count budget);
  memory_tier tier;
  byte_count asked, used, budget;
};

// A device was asked for something it has no code for.
class unsupported : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class device {
 public:
  // Called after an operation, before any that waits for it: the one time when its results are surely still
  // there.
  using probe = std::function<void(const operation&)>;

  device() = default;
  device(const device&) = delete;
  device& operator=(const device&) = delete;
  virtual ~device() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual clock_kind clock() const = 0;
  // Whether it computes with values. To one that does not, only `seats`, `selected` and `counters` can be
  // written, and nothing else needs to be.
  [[nodiscard]] virtual bool has_values() const { return true; }
  // Whether it knows which rows a request selects. What it says of other requests are estimates.
  [[nodiscard]] virtual bool follows(const seat_state& /*seat*/) const { return true; }
  // What a result should say of how its figures came about, by name.
  [[nodiscard]] virtual std::map<std::string, double> notes() const { return {}; }
  // Allocates all buffers of `layout` and makes the weights of `seed`. Throws out_of_memory.
  virtual void allocate(const memory_layout& layout, std::uint64_t seed) = 0;
  // Set-up and inspection; not timed, not to be called while a step runs (a probe may read).
  virtual void write(buffer_id buffer, std::int64_t offset, std::span<const std::byte> bytes) = 0;
  virtual void read(buffer_id buffer, std::int64_t offset, std::span<std::byte> bytes) const = 0;
  // Empties the pool of one request in every layer.
  virtual void reset_pool(const seat_state& seat) = 0;
  // Executes once. Throws unsupported before anything ran if the program has an operation it cannot do. A
  // step with a probe is no measurement: its times mean nothing, and a link is not paced.
  virtual step_timing run(const step_program& program, const probe& after = {}) = 0;
};

// The list of allocations that `layout` stands for: what `plan` prints and every device allocates.
[[nodiscard]] std::vector<memory_item> memory_items(const memory_layout& layout);
[[nodiscard]] byte_count total(const std::vector<memory_item>& items, memory_tier tier);
// Scratch of projections and feed-forward: two areas of the widest vector of a layer for every lane; what the
// experts of a lane hold counts as one vector.
[[nodiscard]] byte_count scratch_bytes(const memory_layout& layout);
// Bytes of one buffer; 0 for those a layout does not use.
[[nodiscard]] byte_count buffer_bytes(const memory_layout& layout, buffer_id buffer);
[[nodiscard]] memory_tier buffer_tier(buffer_id buffer);
// Where a layer's pools begin in their buffer.
[[nodiscard]] std::int64_t pool_offset(const memory_layout& layout, std::int32_t layer);
// Whether the layer of an operation has its weights: a layer has those of one kind of feed-forward.
[[nodiscard]] bool has_weights_for(const model_dims& model, const operation& op);

}  // namespace ess
