#include "ess_core/device/cpu/cpu_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "ess_core/device/cpu/context.h"
#include "ess_core/device/cpu/kernels/attend.h"
#include "ess_core/device/cpu/kernels/choose_experts.h"
#include "ess_core/device/cpu/kernels/select_topk.h"
#include "ess_core/device/cpu/stream_executor.h"
#include "ess_core/device/cpu/thread_place.h"
#include "ess_core/device/expert_pieces.h"
#include "ess_core/device/tier_budget.h"
#include "ess_core/layout/rope.h"
#include "ess_core/nvtx/nvtx.h"

namespace ess {
namespace cpu {
namespace {

static_assert(sizeof(row_miss) == 8);

using handler = void (*)(context&, const operation&);

handler handler_of(op_kind kind) {
  switch (kind) {
    case op_kind::project_index:
      return project_index;
    case op_kind::append_key:
      return append_key;
    case op_kind::score_keys:
      return score_keys;
    case op_kind::select_topk:
      return select_topk;
    case op_kind::project_attention:
      return project_attention;
    case op_kind::resolve:
      return resolve_rows;
    case op_kind::read_back:
      return read_back;
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
      return experts;
    case op_kind::combine:
      return combine;
    case op_kind::draft:
      return draft;
    case op_kind::select_next:
      return select_next;
    case op_kind::prefetch:
      return prefetch;
    case op_kind::fill_pool:
      return fill_pool;
    case op_kind::take_landed:
      return take_landed;
    case op_kind::store_landed:
      return store_landed;
  }
  return nullptr;
}

// Ids of the larger selection, then what selecting needs.
std::size_t select_next_scratch_bytes(const memory_layout& l) {
  const auto ids = static_cast<std::size_t>(l.model.top_k + l.prefetch_rows) * sizeof(token_id);
  return (ids + 63) / 64 * 64 + select_topk_scratch_bytes(l.max_context);
}

std::size_t thread_scratch_bytes(const memory_layout& l) {
  const model_dims& m = l.model;
  const std::size_t pointers = (static_cast<std::size_t>(m.top_k) * sizeof(void*) + 63) / 64 * 64;
  return std::max({pointers + attend_scratch_bytes(m.heads, m.kv_lora, m.rope), select_next_scratch_bytes(l),
                   m.has_moe_layers() ? choose_experts_scratch_bytes(m.moe) : 0});
}

// Latent rows that an operation touches. When it starts, the counts that it depends on are known.
std::int64_t rows_of(const context& c, const operation& op) {
  std::int64_t rows = 0;
  for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
    switch (op.kind) {
      case op_kind::fetch:
      case op_kind::fetch_by_call:
        rows += c.miss_count(i);
        break;
      case op_kind::stream_layer:
      case op_kind::store_landed:
        rows += c.seat(i).position;
        break;
      case op_kind::fill_pool:
      case op_kind::take_landed:
        rows += c.pool(c.seat(i), op.layer).header->used;
        break;
      case op_kind::append_row:
      case op_kind::write_back:
        rows += c.queries();
        break;
      case op_kind::attend:
        rows += std::int64_t{c.queries()} * std::min(c.model().top_k, c.seat(i).position + 1);
        break;
      default:
        break;
    }
  }
  return rows;
}

nvtx::payload payload_of(const context& c, const operation& op) {
  const std::int64_t rows = rows_of(c, op);
  return {.layer = op.layer, .rows = rows, .bytes = crosses_link(op.kind) ? rows * c.row_bytes() : 0};
}

void fill_rope_table(context& c) {
  const auto pairs = static_cast<std::size_t>(c.model().rope / 2);
  const std::vector<double> frequencies = rope_inverse_frequencies(c.model().rotary, c.model().rope);
  c.rope_cos.resize(static_cast<std::size_t>(c.layout.max_context) * pairs);
  c.rope_sin.resize(c.rope_cos.size());
  for (token_id p = 0; p < c.layout.max_context; ++p) {
    const std::size_t at = static_cast<std::size_t>(p) * pairs;
    rope_cos_sin(frequencies, p, std::span<float>(c.rope_cos).subspan(at, pairs),
                 std::span<float>(c.rope_sin).subspan(at, pairs));
  }
}

class cpu_device final : public device {
 public:
  explicit cpu_device(const cpu_device_options& options)
      : options_(options), team_(std::max(1, options.compute_threads), options.first_core) {
    if (options_.ranks != nullptr && options_.ranks->ranks() == 1) options_.ranks = nullptr;
    if (!options_.weights) options_.weights = std::make_shared<weights_cache>();
  }

  [[nodiscard]] std::string_view name() const override { return "cpu"; }
  [[nodiscard]] clock_kind clock() const override { return clock_kind::wall; }

  void allocate(const memory_layout& layout, std::uint64_t seed) override {
    check_model(layout.model);
    if (layout.ranks != (options_.ranks != nullptr ? options_.ranks->ranks() : 1))
      throw std::invalid_argument("the layout is for another number of ranks");
    charge(layout, options_.device_budget, options_.host_budget);
    const expert_range held = experts_here(layout.model.moe, options_.ranks);
    context_.reset(new context{.layout = layout,
                               .seed = seed,
                               .weights = options_.weights->get(layout.model, seed, held),
                               .team = team_,
                               .link = paced_link(options_.link),
                               .ranks = options_.ranks,
                               .experts_here = held});
    for (std::size_t i = 0; i < buffer_count; ++i) {
      context_->buffers[i] =
          aligned_bytes(static_cast<std::size_t>(buffer_bytes(layout, static_cast<buffer_id>(i)).value));
    }
    context_->narrow = aligned_bytes(static_cast<std::size_t>(scratch_bytes(layout).value / 2));
    context_->wide = aligned_bytes(static_cast<std::size_t>(scratch_bytes(layout).value / 2));
    for (int t = 0; t < team_.threads(); ++t) {
      context_->thread_scratch.emplace_back(thread_scratch_bytes(layout));
    }
    if (layout.ranks > 1) {
      context_->arrived_counts.resize(
          static_cast<std::size_t>(layout.shape.seats) *
          static_cast<std::size_t>(layout.ranks * context_->experts_here.count()));
      context_->network_scratch =
          aligned_bytes(static_cast<std::size_t>(layout.model.hidden) * sizeof(float));
    }
    fill_rope_table(*context_);
    for (std::int32_t copy = 0; copy < layout.latent_copies; ++copy)
      context_->first_row.push_back(layout.rows_before(copy));
    for (std::int32_t layer = 0; layer < layout.model.layers; ++layer)
      context_->first_pool_byte.push_back(pool_offset(layout, layer));
  }

  void write(buffer_id buffer, std::int64_t offset, std::span<const std::byte> bytes) override {
    std::ranges::copy(bytes, place(buffer, offset, bytes.size()));
  }

  void read(buffer_id buffer, std::int64_t offset, std::span<std::byte> bytes) const override {
    std::copy_n(place(buffer, offset, bytes.size()), bytes.size(), bytes.data());
  }

  void reset_pool(const seat_state& seat) override {
    if (context_->layout.pool == pool_kind::none) return;
    for (std::int32_t layer = 0; layer < context_->model().layers; ++layer)
      reset(context_->pool(seat, layer));
  }

  step_timing run(const step_program& program, const probe& after) override {
    for (const operation& op : program.operations) {
      if (handler_of(op.kind) == nullptr) {
        throw unsupported(fmt::format("the cpu device has no {} operation", ess::to_string(op.kind)));
      }
      if (const std::string fault = network_fault(op, options_.ranks); !fault.empty())
        throw unsupported("the cpu device: " + fault);
      if (!has_weights_for(context_->model(), op)) {
        throw unsupported(fmt::format("layer {} has no weights for {}", op.layer, ess::to_string(op.kind)));
      }
    }
    context_->traffic = {};
    // What ranks did between steps is no part of the step.
    if (has_work_on(program, stream_id::network)) options_.ranks->barrier();
    context_->link.begin_step(after ? link_settings{} : options_.link);
    const auto execute = [this](const operation& op, const upcoming& next) {
      if (op.stream == stream_id::copy) context_->next_on_link = next;
      const nvtx::scoped_range range(ess::to_string(op.kind),
                                     nvtx::attached() ? payload_of(*context_, op) : nvtx::payload{});
      handler_of(op.kind)(*context_, op);
    };
    std::optional<kept_on_core> kept;
    if (const auto core = team_.core_of_caller()) kept.emplace(*core);
    step_timing timing = executor_.run(program, execute, after);
    timing.link_late = context_->link.late();
    timing.experts = context_->traffic;
    return timing;
  }

 private:
  static void check_model(const model_dims& m) {
    if (m.index_dim != 128) throw unsupported("the cpu device scores index keys of 128 values only");
    if (m.kv_lora % 128 != 0 || m.rope != 64)
      throw unsupported("the cpu device needs latents of 128 n + 64 values");
    if (const std::string fault = m.moe.fault(); m.has_moe_layers() && !fault.empty()) {
      throw unsupported(fault);
    }
  }

  [[nodiscard]] std::byte* place(buffer_id buffer, std::int64_t offset, std::size_t size) const {
    const aligned_bytes& bytes = context_->buffers[static_cast<std::size_t>(buffer)];
    if (offset < 0 || static_cast<std::size_t>(offset) + size > bytes.size()) {
      throw std::out_of_range(fmt::format("{} bytes at {} are outside buffer {} of {} bytes", size, offset,
                                          ess::to_string(buffer), bytes.size()));
    }
    return bytes.data() + offset;
  }

  cpu_device_options options_;
  worker_team team_;
  std::unique_ptr<context> context_;
  stream_executor executor_;
};

}  // namespace

// Of each layer: the headers; the map of every token; tokens, stamps and order, each for all slots.
pool_view context::pool(const seat_state& seat, std::int32_t layer) const {
  const pool_footprint each = footprint_of(layout.pool);
  std::byte* next = at<std::byte>(buffer_id::pool, first_pool_byte[static_cast<std::size_t>(layer)]);
  const auto column = [&]<class T>(std::int64_t all, std::int64_t first, std::int64_t count, T*) {
    T* start = reinterpret_cast<T*>(next);
    next += all * std::int64_t{sizeof(T)};
    return std::span<T>(start + first, static_cast<std::size_t>(count));
  };
  const auto of_slots = [&]<class T>(std::int64_t entries, T* type) {
    return column(layout.rows_in(layer, layout.device_rows) * entries,
                  layout.rows_in(layer, seat.device_base) * entries,
                  layout.rows_in(layer, seat.device_rows) * entries, type);
  };
  pool_view view{.kind = layout.pool};
  view.header = column(layout.shape.seats, seat.home, 1, static_cast<pool_header*>(nullptr)).data();
  view.slot_of = column(layout.map_tokens, seat.map_base, seat.map_tokens, static_cast<slot_id*>(nullptr));
  view.token_of = of_slots(each.tokens_per_slot, static_cast<token_id*>(nullptr));
  view.stamp = of_slots(each.stamps_per_slot, static_cast<std::uint32_t*>(nullptr));
  view.order = of_slots(each.order_entries_per_slot, static_cast<slot_id*>(nullptr));
  return view;
}

}  // namespace cpu

int default_compute_threads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::shared_ptr<cpu::weights_cache> make_cpu_weights_cache() {
  return std::make_shared<cpu::weights_cache>();
}

std::unique_ptr<device> make_cpu_device(const cpu_device_options& options) {
  return std::make_unique<cpu::cpu_device>(options);
}

}  // namespace ess
