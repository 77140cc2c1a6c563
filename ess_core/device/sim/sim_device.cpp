#include "ess_core/device/sim/sim_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "ess_core/base/parallel.h"
#include "ess_core/device/sim/event_clock.h"
#include "ess_core/device/sim/followed_request.h"
#include "ess_core/device/sim/layer_sample.h"
#include "ess_core/device/tier_budget.h"

namespace ess {
namespace sim {
namespace {

// Half width of the 95 % interval of a mean of `values`, over the mean (Student's t).
double relative_error(const std::vector<double>& values) {
  constexpr std::array<double, 10> t = {12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23};
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2) return 0;
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  for (const double v : values) squares += (v - sum / n) * (v - sum / n);
  if (sum <= 0) return 0;
  const double quantile = values.size() - 2 < t.size() ? t[values.size() - 2] : 2.0;
  return quantile * std::sqrt(squares / (n - 1) / n) / (sum / n);
}

class sim_device final : public device {
 public:
  explicit sim_device(sim_device_options options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return "sim"; }
  [[nodiscard]] clock_kind clock() const override { return clock_kind::virtual_clock; }
  [[nodiscard]] bool has_values() const override { return false; }
  [[nodiscard]] bool follows(const seat_state& seat) const override { return followed_.contains(seat.home); }

  void allocate(const memory_layout& layout, std::uint64_t seed) override {
    check(layout);
    charge(layout, options_.device_budget, options_.host_budget);
    layout_ = layout;
    seed_ = seed;
    costs_.emplace(options_.hardware, layout_.model, options_.cluster);
    const auto layers = static_cast<std::size_t>(layout_.model.layers);
    stands_for_ =
        layers_that_stand_for(options_.locality.layers, layout_.model.layers, options_.followed_layers);
    is_followed_.assign(layers, false);
    for (const std::int32_t layer : stands_for_) is_followed_[static_cast<std::size_t>(layer)] = true;
    const std::size_t cells = layers * static_cast<std::size_t>(layout_.shape.seats);
    counters_.assign(cells, {});
    counts_.assign(cells, {});
    means_.assign(layers, given_counts());
    carry_.assign(layers, 0);
  }

  void write(buffer_id buffer, std::int64_t offset, std::span<const std::byte> bytes) override {
    if (buffer == buffer_id::seats) {
      seats_.resize(bytes.size() / sizeof(seat_state));
      std::memcpy(seats_.data(), bytes.data(), bytes.size());
      forget_finished();
      follow_newcomers();
    } else if (buffer == buffer_id::counters) {
      std::memcpy(std::as_writable_bytes(std::span(counters_)).data() + offset, bytes.data(), bytes.size());
    } else {
      const auto [layer, request] = selection_at(buffer, offset);
      std::vector<token_id> ids(bytes.size() / sizeof(token_id));
      std::memcpy(ids.data(), bytes.data(), bytes.size());
      if (is_followed_[static_cast<std::size_t>(layer)]) request->give(layer, ids);
    }
  }

  void read(buffer_id buffer, std::int64_t offset, std::span<std::byte> bytes) const override {
    if (buffer == buffer_id::counters) {
      std::memcpy(bytes.data(), std::as_bytes(std::span(counters_)).data() + offset, bytes.size());
    } else {
      const auto [layer, request] = selection_at(buffer, offset);
      if (!is_followed_[static_cast<std::size_t>(layer)]) {  // it has counts, but no ids of its own
        std::ranges::fill(bytes, std::byte{0xff});
        return;
      }
      std::ranges::copy(std::as_bytes(request->selected(layer)).first(bytes.size()), bytes.begin());
    }
  }

  void reset_pool(const seat_state& seat) override {
    if (const auto before = followed_.find(seat.home); before != followed_.end()) forget(before);
    if (resolves() && options_.given_misses == 0) newcomers_.push_back(seat);
  }

  step_timing run(const step_program& program, const probe& after) override {
    for (const operation& op : program.operations) check(op);
    resolve_followed(program);
    slices_.clear();
    same_for_all_layers_.clear();
    std::vector<op_cost> costs;
    for (const operation& op : program.operations) {
      costs.push_back(cost_of(op));
      if (after) after(op);
    }
    if (after) return {};
    step_timing timing = run_on_event_clock(program, costs);
    if (decodes(program)) {
      const slice_size all = size_of({0, program.seats});
      outside_us_ = costs_->outside_us(all.requests, all.requests * program.query_tokens);
      timing.total += microseconds(outside_us_);
    }
    return timing;
  }

  [[nodiscard]] std::map<std::string, double> notes() const override {
    std::map<std::string, double> out = {{"outside_layers_us", outside_us_}, {"table_stretch", stretch_}};
    if (!resolves()) return out;
    std::vector<double> means = finished_;
    for (const auto& [home, request] : followed_) {
      if (request->steps() > 0) means.push_back(request->misses() / request->steps());
    }
    out["followed_requests"] = static_cast<double>(means.size());
    out["followed_layers"] = static_cast<double>(std::ranges::count(is_followed_, true));
    out["misses_sampling_error"] = relative_error(means);
    return out;
  }

 private:
  struct slice_size {
    double requests = 0;
    double context = 0;  // mean, at the last query token
  };

  static void check(const memory_layout& layout) {
    if (layout.pool == pool_kind::score_aware)
      throw unsupported("the simulator has no scores, which policy score_aware needs");
    if (layout.prefetch_rows > 0)
      throw unsupported("the simulator has no ranks below the cut, which prefetch_rows needs");
  }

  static void check(const operation& op) {
    if (op.kind == op_kind::prefetch || op.kind == op_kind::select_next)
      throw unsupported(fmt::format("the simulator has no {} operation", to_string(op.kind)));
  }

  static bool decodes(const step_program& program) {
    return std::ranges::any_of(program.operations,
                               [](const operation& op) { return op.kind == op_kind::output; });
  }

  // A row that several query tokens miss is attended by each of them: by half of those beyond the first, say.
  [[nodiscard]] resolved given_counts() const {
    const double queries = layout_.shape.query_tokens;
    const double selected = queries * layout_.model.top_k;
    const double misses = std::min<double>(options_.given_misses, selected);
    return {.asked = std::max(misses, static_cast<double>(layout_.model.top_k)),
            .misses = misses,
            .incoming = std::min(selected, misses * (1 + queries) / 2),
            .attended = selected};
  }

  // A system whose rows are all in place need not know which are selected.
  [[nodiscard]] bool resolves() const {
    return layout_.pool != pool_kind::none || (layout_.host_rows > 0 && layout_.latent_copies == 1);
  }

  using followed_map = std::map<std::int32_t, std::unique_ptr<followed_request>>;  // by home

  followed_map::iterator forget(followed_map::iterator at) {
    if (at->second->steps() > 0) finished_.push_back(at->second->misses() / at->second->steps());
    return followed_.erase(at);
  }

  void forget_finished() {
    for (auto at = followed_.begin(); at != followed_.end();) {
      const bool sits = std::ranges::any_of(seats_, [&](const seat_state& s) { return s.home == at->first; });
      at = sits ? std::next(at) : forget(at);
    }
  }

  // As many as there is room for, once it is known who has left.
  void follow_newcomers() {
    const auto limit = static_cast<std::size_t>(options_.followed_requests);
    for (const seat_state& seat : newcomers_) {
      if (limit > 0 && followed_.size() >= limit) break;
      followed_.emplace(seat.home,
                        std::make_unique<followed_request>(layout_, seed_, options_.locality,
                                                           options_.streams.get(), seat, is_followed_));
    }
    newcomers_.clear();
  }

  [[nodiscard]] std::pair<std::int32_t, followed_request*> selection_at(buffer_id buffer,
                                                                        std::int64_t offset) const {
    const std::int64_t lane = offset / (layout_.model.top_k * std::int64_t{sizeof(token_id)});
    const std::int64_t cell = lane / layout_.shape.query_tokens;
    const auto seat = static_cast<std::size_t>(cell % layout_.shape.seats);
    if (buffer != buffer_id::selected || seat >= seats_.size() || !follows(seats_[seat]))
      throw std::logic_error(fmt::format("the simulator has no values of {}", to_string(buffer)));
    return {static_cast<std::int32_t>(cell / layout_.shape.seats), followed_.at(seats_[seat].home).get()};
  }

  [[nodiscard]] std::size_t cell(std::int32_t layer, std::int32_t seat) const {
    return static_cast<std::size_t>(layer) * static_cast<std::size_t>(layout_.shape.seats) +
           static_cast<std::size_t>(seat);
  }

  // What the sample selects and misses in this step, layer by layer, and from that the counts of all others.
  void resolve_followed(const step_program& program) {
    struct task {
      std::int32_t layer, seat;
      followed_request* request;
    };
    std::vector<task> tasks;
    std::vector<bool> resolved_layer(means_.size(), false);
    for (const operation& op : program.operations) {
      if (op.kind != op_kind::resolve) continue;
      resolved_layer[static_cast<std::size_t>(op.layer)] = true;
      if (!is_followed_[static_cast<std::size_t>(op.layer)]) continue;
      for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
        const auto found = followed_.find(seats_[static_cast<std::size_t>(i)].home);
        if (found != followed_.end()) tasks.push_back({op.layer, i, found->second.get()});
      }
    }
    for_each_parallel(tasks.size(), options_.threads, [&](std::size_t n) {
      const task& t = tasks[n];
      counts_[cell(t.layer, t.seat)] = t.request->resolve(seats_[static_cast<std::size_t>(t.seat)], t.layer);
    });
    for (std::int32_t layer = 0; layer < layout_.model.layers; ++layer) {
      if (resolved_layer[static_cast<std::size_t>(layer)]) spread(layer);
    }
    if (decodes(program)) count_step();
  }

  void spread(std::int32_t layer) {
    const std::int32_t like = stands_for_[static_cast<std::size_t>(layer)];
    const auto seats = static_cast<std::int32_t>(seats_.size());
    resolved& mean = means_[static_cast<std::size_t>(layer)];
    resolved sum;
    double followed = 0;
    for (std::int32_t i = 0; i < seats; ++i) {
      if (!follows(seats_[static_cast<std::size_t>(i)])) continue;
      const resolved& one = counts_[cell(like, i)];
      sum = {sum.asked + one.asked, sum.misses + one.misses, sum.incoming + one.incoming,
             sum.attended + one.attended};
      followed += 1;
    }
    if (followed > 0)
      mean = {sum.asked / followed, sum.misses / followed, sum.incoming / followed, sum.attended / followed};
    for (std::int32_t i = 0; i < seats; ++i) {
      const bool exact = follows(seats_[static_cast<std::size_t>(i)]);
      counts_[cell(layer, i)] = exact ? counts_[cell(like, i)] : mean;
    }
  }

  void count_step() {
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(seats_.size()); ++i) {
      const auto found = followed_.find(seats_[static_cast<std::size_t>(i)].home);
      if (found == followed_.end()) continue;
      double misses = 0;
      for (std::int32_t layer = 0; layer < layout_.model.layers; ++layer)
        misses += counts_[cell(layer, i)].misses;
      found->second->count_step(misses);
    }
  }

  // Whole rows of an estimate for the counters; what a fraction leaves over goes to the next seat.
  [[nodiscard]] std::int32_t whole_rows(std::int32_t layer, double rows) {
    double& carry = carry_[static_cast<std::size_t>(layer)];
    carry += rows;
    const double whole = std::floor(carry);
    carry -= whole;
    return static_cast<std::int32_t>(whole);
  }

  [[nodiscard]] slice_size size_of(batch_slice slice) {
    const auto known = std::ranges::find(slices_, slice, &std::pair<batch_slice, slice_size>::first);
    if (known != slices_.end()) return known->second;
    slice_size out{.requests = static_cast<double>(slice.count)};
    for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i)
      out.context += seats_[static_cast<std::size_t>(i)].position + layout_.shape.query_tokens;
    out.context /= slice.count;
    slices_.emplace_back(slice, out);
    return out;
  }

  // Counts what an operation does, and sums up how much that is.
  [[nodiscard]] op_size carry_out(const operation& op) {
    const slice_size slice = size_of(op.slice);
    const std::int32_t queries = layout_.shape.query_tokens;
    op_size size{.requests = slice.requests,
                 .query_tokens = slice.requests * queries,
                 .context_tokens = slice.context};
    for (std::int32_t i = op.slice.first; i < op.slice.first + op.slice.count; ++i) {
      const seat_state& seat = seats_[static_cast<std::size_t>(i)];
      const resolved& count = counts_[cell(op.layer, i)];
      row_counters& counters = counters_[cell(op.layer, i)];
      switch (op.kind) {
        case op_kind::resolve: {
          const auto misses =
              follows(seat) ? static_cast<std::int32_t>(count.misses) : whole_rows(op.layer, count.misses);
          const auto asked = std::max(misses, static_cast<std::int32_t>(count.asked));
          counters = {.asked = asked, .hits = asked - misses, .misses = misses};
          break;
        }
        case op_kind::read_back:
          size.rows += count.misses;
          break;
        case op_kind::fetch:
        case op_kind::fetch_by_call:
          size.rows += count.misses;
          counters.rows_in += counters.misses;
          break;
        case op_kind::write_back:
          size.rows += queries;
          counters.rows_out += queries;
          break;
        case op_kind::stream_layer:
          size.rows += seat.position;
          counters.rows_in += seat.position;
          break;
        case op_kind::store_landed:
          size.rows += seat.position;
          break;
        case op_kind::fill_pool:
        case op_kind::take_landed: {
          const std::int64_t held = held_rows(seat, op.layer);
          size.rows += static_cast<double>(held);
          counters.rows_in += static_cast<std::int32_t>(held);
          break;
        }
        case op_kind::attend:
          size.attended += attended(op, seat, count);
          if (op.addressing == row_addressing::by_token) {
            counters.asked = counters.hits = rows_a_query(seat);
          }
          break;
        default:
          break;
      }
    }
    return size;
  }

  [[nodiscard]] std::int64_t held_rows(const seat_state& seat, std::int32_t layer) const {
    const auto found = followed_.find(seat.home);
    const std::int32_t like = stands_for_[static_cast<std::size_t>(layer)];
    if (found != followed_.end()) return found->second->held_rows(like);
    return std::min<std::int64_t>(layout_.rows_in(layer, seat.device_rows), seat.position);
  }

  // Rows that a query token attends to where all are in place.
  [[nodiscard]] std::int32_t rows_a_query(const seat_state& seat) const {
    const std::int32_t context = seat.position + 1;
    return layout_.model.index_heads == 0 ? context : std::min(layout_.model.top_k, context);
  }

  [[nodiscard]] double attended(const operation& op, const seat_state& seat, const resolved& count) const {
    if (op.addressing == row_addressing::by_token) {
      return static_cast<double>(layout_.shape.query_tokens) * rows_a_query(seat);
    }
    switch (op.part) {
      case row_part::incoming:
        return count.incoming;
      case row_part::resident:
        return count.attended - count.incoming;
      default:
        return count.attended;
    }
  }

  // Most kinds cost the same in every layer.
  [[nodiscard]] op_cost cost_of(const operation& op) {
    const op_size size = carry_out(op);
    const bool varies =
        crosses_link(op.kind) || op.kind == op_kind::attend || op.kind == op_kind::take_landed;
    if (!varies) {
      for (const auto& [of, cost] : same_for_all_layers_) {
        if (of.first == op.kind && of.second == op.slice) return cost;
      }
    }
    const op_cost cost = costs_->of(op, size);
    stretch_ = std::max(stretch_, cost.stretch);
    if (!varies) same_for_all_layers_.emplace_back(std::pair(op.kind, op.slice), cost);
    return cost;
  }

  sim_device_options options_;
  memory_layout layout_;
  std::uint64_t seed_ = 0;
  std::optional<cost_model> costs_;
  std::vector<std::int32_t> stands_for_;  // [layers]
  std::vector<bool> is_followed_;         // [layers]
  followed_map followed_;
  std::vector<seat_state> newcomers_;  // since seats were written
  std::vector<double> finished_;       // misses a step of followed requests that have left
  std::vector<seat_state> seats_;
  std::vector<row_counters> counters_;  // [layers][seats]
  std::vector<resolved> counts_;        // [layers][seats], of this step
  std::vector<resolved> means_;         // [layers], of the last step that had a followed request
  std::vector<double> carry_;           // [layers]
  std::vector<std::pair<batch_slice, slice_size>> slices_;  // of this step
  std::vector<std::pair<std::pair<op_kind, batch_slice>, op_cost>> same_for_all_layers_;
  double outside_us_ = 0;
  double stretch_ = 1;
};

}  // namespace
}  // namespace sim

std::unique_ptr<device> make_sim_device(sim_device_options options) {
  return std::make_unique<sim::sim_device>(std::move(options));
}

}  // namespace ess
