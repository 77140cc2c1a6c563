#include "ess_core/device/cuda/cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ess_core/device/cuda/context.h"
#include "ess_core/device/cuda/kernels/attend.h"
#include "ess_core/device/cuda/kernels/resolve.h"
#include "ess_core/device/cuda/kernels/select_topk.h"
#include "ess_core/device/cuda/products.h"
#include "ess_core/device/cuda/step_runner.h"
#include "ess_core/device/expert_pieces.h"
#include "ess_core/device/tier_budget.h"
#include "ess_core/layout/rope.h"

namespace ess {
namespace ESS_CUDA {

launcher launcher_of(op_kind kind) {
  switch (kind) {
    case op_kind::project_index:
      return project_index;
    case op_kind::append_key:
      return append_key;
    case op_kind::score_keys:
      return score_index_keys;
    case op_kind::select_topk:
      return select_rows;
    case op_kind::project_attention:
      return project_attention;
    case op_kind::resolve:
      return resolve_rows;
    case op_kind::read_back:
      return read_back_misses;
    case op_kind::append_row:
      return append_row;
    case op_kind::write_back:
      return write_back;
    case op_kind::fetch:
      return fetch;
    case op_kind::fetch_by_call:
      return fetch_by_call;
    case op_kind::stream_layer:
      return stream_layer;
    case op_kind::attend:
      return attend_rows;
    case op_kind::merge:
      return merge_parts;
    case op_kind::output:
      return output;
    case op_kind::feed_forward:
      return feed_forward;
    case op_kind::route:
      return route;
    case op_kind::dispatch:
      return dispatch;
    case op_kind::experts:
      return run_experts;
    case op_kind::combine:
      return combine;
    case op_kind::draft:
      return draft;
    case op_kind::fill_pool:
      return fill_pool;
    case op_kind::take_landed:
      return take_landed;
    case op_kind::store_landed:
      return store_landed;
    case op_kind::select_next:
    case op_kind::prefetch:
      return nullptr;
  }
  return nullptr;
}

// Of each layer: the headers; the map of every token; tokens, stamps and order, each for all slots.
pool_columns context::pools_of(std::int32_t layer) const {
  if (layout.pool == pool_kind::none) return {};
  const pool_footprint each = footprint_of(layout.pool);
  const std::int64_t slots = layout.rows_in(layer, layout.device_rows);
  std::byte* next = at<std::byte>(buffer_id::pool, first_pool_byte[static_cast<std::size_t>(layer)]);
  const auto column = [&](std::int64_t bytes) {
    std::byte* start = next;
    next += bytes;
    return start;
  };
  pool_columns out{};
  out.headers = reinterpret_cast<pool_header*>(column(layout.shape.seats * pool_header_bytes));
  out.slot_of = reinterpret_cast<slot_id*>(column(layout.map_tokens * each.bytes_per_token()));
  out.token_of = reinterpret_cast<token_id*>(column(slots * 4 * each.tokens_per_slot));
  out.stamp = reinterpret_cast<std::uint32_t*>(column(slots * 4 * each.stamps_per_slot));
  out.order = reinterpret_cast<slot_id*>(column(slots * 2 * each.order_entries_per_slot));
  return out;
}

namespace {

device_memory rope_table(const std::vector<float>& values) {
  device_memory out(values.size() * sizeof(float));
  check("cudaMemcpy of rotations", cudaMemcpy(out.data(), values.data(), out.size(), cudaMemcpyHostToDevice));
  return out;
}

void make_rotations(context& c) {
  const auto pairs = static_cast<std::size_t>(c.model().rope / 2);
  const std::vector<double> frequencies = rope_inverse_frequencies(c.model().rotary, c.model().rope);
  std::vector<float> cos(static_cast<std::size_t>(c.layout.max_context) * pairs);
  std::vector<float> sin(cos.size());
  for (token_id p = 0; p < c.layout.max_context; ++p) {
    const std::size_t at = static_cast<std::size_t>(p) * pairs;
    rope_cos_sin(frequencies, p, std::span(cos).subspan(at, pairs), std::span(sin).subspan(at, pairs));
  }
  c.rope_cos = rope_table(cos);
  c.rope_sin = rope_table(sin);
}

// Memory that runs out is what a plan may ask for and a GPU not have; all else is a fault.
template <class Memory>
Memory allocated(memory_tier tier, std::string_view what, std::int64_t bytes) {
  try {
    return Memory(static_cast<std::size_t>(bytes));
  } catch (const cuda_error& e) {
    if (e.code() != cudaErrorMemoryAllocation) throw;
    const byte_count left = tier == memory_tier::device ? free_device_memory() : byte_count{0};
    throw out_of_memory(tier, what, {bytes}, {0}, left);
  }
}

class gpu_device final : public device {
 public:
  explicit gpu_device(const cuda_device_options& options)
      : options_(options),
        on_(options.ordinal),
        gpu_(describe_gpu(options.ordinal)),
        runner_(options.graphs, options.profiled_runs) {
    weights_ = std::static_pointer_cast<weights_cache>(options.weights);
    if (!weights_) weights_ = std::make_shared<weights_cache>();
    if (options_.ranks != nullptr && options_.ranks->ranks() == 1) options_.ranks = nullptr;
  }

  ~gpu_device() override {
    // Work that is still on the GPU would write into memory that is given back.
    detail::log_failure("cudaDeviceSynchronize", cudaDeviceSynchronize());
  }

  [[nodiscard]] std::string_view name() const override {
#ifdef ESSBENCH_CUDA_EMULATED
    return "cuda_emulated";
#else
    return "cuda";
#endif
  }
  // Events of the stand-in are taken from the host's clock.
  [[nodiscard]] clock_kind clock() const override {
#ifdef ESSBENCH_CUDA_EMULATED
    return clock_kind::wall;
#else
    return clock_kind::cuda_event;
#endif
  }

  void allocate(const memory_layout& layout, std::uint64_t seed) override {
    check_model(layout.model);
    if (!can_resolve(layout.pool)) {
      throw unsupported(
          fmt::format("the {} device has no pools of policy {}", name(), to_string(layout.pool)));
    }
    if (layout.ranks != (options_.ranks != nullptr ? options_.ranks->ranks() : 1))
      throw std::invalid_argument("the layout is for another number of ranks");
    charge(layout, options_.device_budget, options_.host_budget);
    runner_.forget_programs();
    context_ = {};
    context_.layout = layout;
    context_.multiprocessors = gpu_.multiprocessors;
    context_.batched_copies = options_.batched_copies;
    for (std::int32_t copy = 0; copy < layout.latent_copies; ++copy)
      context_.first_row.push_back(layout.rows_before(copy));
    for (std::int32_t layer = 0; layer < layout.model.layers; ++layer)
      context_.first_pool_byte.push_back(pool_offset(layout, layer));
    context_.seats.resize(static_cast<std::size_t>(layout.shape.seats));
    context_.ranks = options_.ranks;
    context_.experts_here = experts_here(layout.model.moe, options_.ranks);
    context_.weights = weights_->get(layout.model, seed, context_.experts_here);
    if (context_.ranks != nullptr) allocate_journey();
    allocate_buffers();
    allocate_scratch();
    make_rotations(context_);
  }

  void write(buffer_id buffer, std::int64_t offset, std::span<const std::byte> bytes) override {
    std::byte* to = place(buffer, offset, bytes.size());
    if (bytes.empty()) return;
    if (buffer == buffer_id::host_latents) {
      std::memcpy(to, bytes.data(), bytes.size());
      return;
    }
    check("cudaMemcpy to the device", cudaMemcpy(to, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
    if (buffer == buffer_id::seats)
      std::memcpy(reinterpret_cast<std::byte*>(context_.seats.data()) + offset, bytes.data(), bytes.size());
  }

  void read(buffer_id buffer, std::int64_t offset, std::span<std::byte> bytes) const override {
    const std::byte* from = place(buffer, offset, bytes.size());
    if (bytes.empty()) return;
    if (buffer == buffer_id::host_latents) {
      std::memcpy(bytes.data(), from, bytes.size());
    } else {
      check("cudaMemcpy from the device",
            cudaMemcpy(bytes.data(), from, bytes.size(), cudaMemcpyDeviceToHost));
    }
  }

  void reset_pool(const seat_state& seat) override {
    const memory_layout& l = context_.layout;
    if (l.pool == pool_kind::none) return;
    const pool_footprint each = footprint_of(l.pool);
    for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
      check("launch of reset_pool",
            ESS_CUDA::reset_pool({.kind = l.pool,
                                  .pools = context_.pools_of(layer),
                                  .home = seat.home,
                                  .map_base = seat.map_base,
                                  .map_tokens = each.map_entries_per_token > 0 ? seat.map_tokens : 0,
                                  .first_slot = l.rows_in(layer, seat.device_base),
                                  .slots = l.rows_in(layer, seat.device_rows),
                                  .order_entries = static_cast<std::int32_t>(each.order_entries_per_slot)},
                                 runner_.compute().get()));
    }
    runner_.compute().synchronize();
  }

  step_timing run(const step_program& program, const probe& after) override {
    for (const operation& op : program.operations) refuse(op);
    context_.traffic = {};
    if (has_work_on(program, stream_id::network)) {
      if (!context_.exchange) context_.exchange = make_exchange(*context_.ranks);
      context_.ranks->barrier();  // what ranks did between steps is no part of it
    }
    step_timing out = after ? runner_.run(context_, program, after) : runner_.run(context_, program);
    out.experts = context_.traffic;
    return out;
  }

 private:
  void check_model(const model_dims& m) const {
    const auto demand = [&](bool good, const char* what) {
      if (!good) throw unsupported(fmt::format("the {} device {}", name(), what));
    };
    demand(m.index_dim == 128 && m.index_heads % 4 == 0,
           "scores index keys of 128 values for 4 n heads only");
    demand(m.kv_lora % 128 == 0 && m.rope == 64, "needs latents of 128 n + 64 values");
    demand(m.hidden % 4 == 0 && m.q_lora % 4 == 0 && m.dense_width % 4 == 0,
           "needs widths that are multiples of 4");
    if (const std::string fault = m.moe.fault(); m.has_moe_layers() && !fault.empty())
      throw unsupported(fault);
  }

  void refuse(const operation& op) const {
    const char* kind = to_string(op.kind).data();
    if (launcher_of(op.kind) == nullptr)
      throw unsupported(fmt::format("the {} device has no {} operation", name(), kind));
    if (const std::string fault = network_fault(op, options_.ranks); !fault.empty())
      throw unsupported(fmt::format("the {} device: {}", name(), fault));
    if (!has_weights_for(context_.model(), op))
      throw unsupported(fmt::format("layer {} has no weights for {}", op.layer, kind));
  }

  void allocate_buffers() {
    const memory_layout& l = context_.layout;
    for (std::size_t i = 0; i < buffer_count; ++i) {
      const auto buffer = static_cast<buffer_id>(i);
      if (buffer == buffer_id::host_latents) continue;
      context_.buffers[i] =
          allocated<device_memory>(memory_tier::device, to_string(buffer), buffer_bytes(l, buffer).value);
    }
    context_.host_latents = allocated<pinned_memory>(memory_tier::host, "latents",
                                                     buffer_bytes(l, buffer_id::host_latents).value);
    context_.read_back = pinned_memory(static_cast<std::size_t>(buffer_bytes(l, buffer_id::misses).value));
  }

  // What experts elsewhere need beside the buffers.
  void allocate_journey() {
    const memory_layout& l = context_.layout;
    const auto seats = static_cast<std::size_t>(l.shape.seats);
    const auto lists = seats * static_cast<std::size_t>(l.ranks);
    const auto held = static_cast<std::size_t>(context_.experts_here.count());
    context_.starts.resize(seats * static_cast<std::size_t>(l.model.moe.experts + 2));
    context_.arrived_counts.resize(lists * held);
    context_.arrived_starts_host = pinned_memory(lists * (held + 1) * sizeof(std::int32_t));
    context_.arrived_starts = device_memory(context_.arrived_starts_host.size());
    context_.network_scratch = allocated<device_memory>(memory_tier::device, "scratch of the network",
                                                        l.lanes() * l.model.hidden * 4);
  }

  void allocate_scratch() {
    const memory_layout& l = context_.layout;
    const auto scratch = [](std::size_t bytes) {
      device_memory out =
          allocated<device_memory>(memory_tier::device, "scratch", static_cast<std::int64_t>(bytes));
      if (bytes > 0) check("cudaMemset of scratch", cudaMemset(out.data(), 0, bytes));
      return out;
    };
    const auto half = static_cast<std::size_t>(scratch_bytes(l).value / 2);
    context_.narrow = scratch(half);
    context_.wide = scratch(half);
    context_.linear_scratch = scratch(product_scratch_bytes(l));
    context_.attend_scratch =
        scratch(attend_scratch_bytes({.lanes = {nullptr, 0, l.shape.seats, l.shape.query_tokens},
                                      .heads = l.model.heads,
                                      .kv_lora = l.model.kv_lora,
                                      .rope = l.model.rope,
                                      .top_k = l.model.top_k}));
    context_.topk_scratch = scratch(select_topk_scratch_bytes(context_.lanes(), l.max_context));
  }

  [[nodiscard]] std::byte* place(buffer_id buffer, std::int64_t offset, std::size_t size) const {
    const auto all = static_cast<std::size_t>(buffer_bytes(context_.layout, buffer).value);
    if (offset < 0 || static_cast<std::size_t>(offset) + size > all) {
      throw std::out_of_range(fmt::format("{} bytes at {} are outside buffer {} of {} bytes", size, offset,
                                          to_string(buffer), all));
    }
    return buffer == buffer_id::host_latents ? context_.host_latents.on_host() + offset
                                             : context_.at<std::byte>(buffer, offset);
  }

  cuda_device_options options_;
  device_guard on_;
  cuda_gpu gpu_;
  std::shared_ptr<weights_cache> weights_;
  context context_;
  step_runner runner_;
};

}  // namespace

int gpu_count() { return device_count(); }

cuda_gpu describe(int ordinal) { return describe_gpu(ordinal); }

bool has_pools_of(pool_kind policy) { return can_resolve(policy); }

std::shared_ptr<void> make_weights_cache() { return std::make_shared<weights_cache>(); }

std::unique_ptr<device> make_device(const cuda_device_options& options) {
  const int found = device_count();
  if (options.ordinal < 0 || options.ordinal >= found) {
    throw unsupported(found == 0 ? std::string("no CUDA device was found: is there a GPU, and its driver?")
                                 : fmt::format("no CUDA device {}: there are {}", options.ordinal, found));
  }
  return std::make_unique<gpu_device>(options);
}

}  // namespace ESS_CUDA
}  // namespace ess
