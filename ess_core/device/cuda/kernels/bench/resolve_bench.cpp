// Steps of the pool, over selections that drift: a tenth of the rows is new in each step.
#include <numeric>
#include <utility>

#include "ess_core/base/random.h"
#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"
#include "ess_core/device/cuda/kernels/resolve.h"

namespace ess::ESS_CUDA::bench {
namespace {

constexpr std::int32_t patterns = 4;  // different ones among the requests

// A circle of steps. A request's list has `places`; a tenth of them take the next of their own tokens in each
// step, in turn, and no token belongs to two places. So a token is asked for in ten steps in a row, and again
// a circle later, when the pool, which is smaller than all tokens together, has forgotten it. A later query
// token of a step is half a step ahead.
struct drift {
  std::int32_t context, slots;
  std::int32_t fresh = (model().top_k - 1) / 10;  // rows a step that were not asked for in the one before
  std::int32_t places = 10 * fresh;
  std::int32_t tokens_a_place = (slots + slots / 2 + places - 1) / places;
  std::int32_t steps = 10 * tokens_a_place;

  [[nodiscard]] std::int32_t map_tokens() const { return context + steps + max_query_tokens; }
  // A list of a step: own tokens, then the step's own one, and padding.
  [[nodiscard]] std::vector<token_id> list(const std::vector<token_id>& tokens, std::int32_t step,
                                           std::int32_t query) const {
    const std::int32_t changes = step * fresh + query * fresh / 2;
    std::vector<token_id> out;
    for (std::int32_t place = 0; place < places; ++place) {
      const std::int32_t turn = (changes + places - 1 - place) / places % tokens_a_place;
      out.push_back(tokens[static_cast<std::size_t>(turn * places + place)]);
    }
    std::sort(out.begin(), out.end());
    out.push_back(context + step + query);
    out.resize(static_cast<std::size_t>(model().top_k), -1);
    return out;
  }
};

std::vector<token_id> shuffled_tokens(std::int32_t context, std::uint32_t pattern) {
  const counter_rng rng(1, purpose::microbenchmark, 100 + pattern);
  std::vector<token_id> order(static_cast<std::size_t>(context));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[rng.below(i + 1, i)]);
  return order;
}

// Lists of one pattern: [steps][queries][top_k].
std::vector<token_id> lists_of(const drift& d, std::int32_t queries, std::uint32_t pattern) {
  const std::vector<token_id> tokens = shuffled_tokens(d.context, pattern);
  std::vector<token_id> out;
  for (std::int32_t step = 0; step < d.steps; ++step)
    for (std::int32_t query = 0; query < queries; ++query) {
      const std::vector<token_id> list = d.list(tokens, step, query);
      out.insert(out.end(), list.begin(), list.end());
    }
  return out;
}

// [steps][seats][queries][top_k]
array<token_id> lists_of_all(const drift& d, batch_size b) {
  const std::int64_t of_seat = std::int64_t{b.queries} * model().top_k;
  array<token_id> all(d.steps * b.seats * of_seat);
  const auto width = static_cast<std::size_t>(of_seat) * sizeof(token_id);
  for (std::int32_t pattern = 0; pattern < patterns; ++pattern) {
    const array<token_id> lists(lists_of(d, b.queries, static_cast<std::uint32_t>(pattern)));
    for (std::int32_t seat = pattern; seat < b.seats; seat += patterns)
      check("cudaMemcpy2DAsync of lists",
            cudaMemcpy2DAsync(all.data() + seat * of_seat, width * static_cast<std::size_t>(b.seats),
                              lists.data(), width, width, static_cast<std::size_t>(d.steps),
                              cudaMemcpyDeviceToDevice, nullptr));
    check("cudaDeviceSynchronize", cudaDeviceSynchronize());
  }
  return all;
}

// Positions go on in each step, as if all draft tokens but the first were rejected: [steps][seats].
std::vector<seat_state> seats_of_steps(const drift& d, batch_size b) {
  std::vector<seat_state> out;
  for (std::int32_t step = 0; step < d.steps; ++step) {
    std::vector<seat_state> seats = seats_at(b.seats, d.context + step, d.slots);
    for (seat_state& s : seats) {
      s.new_tokens = b.queries;
      s.map_base = std::int64_t{s.home} * d.map_tokens();
      s.map_tokens = d.map_tokens();
    }
    out.insert(out.end(), seats.begin(), seats.end());
  }
  return out;
}

// Everything that `resolve` works on.
class pools {
 public:
  pools(pool_kind kind, const drift& d, batch_size b)
      : kind_(kind),
        d_(d),
        b_(b),
        selected_(lists_of_all(d, b)),
        seats_(seats_of_steps(d, b)),
        headers_(b.seats),
        slot_of_(std::int64_t{b.seats} * d.map_tokens()),
        token_of_(slots()),
        stamp_(slots()),
        order_(2 * slots()),
        locations_(lists()),
        misses_(b.seats * (misses_per_seat() + 1) * 8),
        counters_(b.seats) {
    for (std::int32_t i = 0; i < b.seats && kind != pool_kind::none; ++i) reset(i);
  }

  cudaError_t step(std::int64_t number, cudaStream_t on) {
    const std::int64_t s = number % d_.steps;
    return resolve({.lanes = all_lanes(seats_.data() + s * b_.seats, b_),
                    .rows = {.latents = nullptr, .staging = nullptr, .row_bytes = 656, .weight = 65536},
                    .kind = kind_,
                    .pools = columns(),
                    .top_k = model().top_k,
                    .selected = selected_.data() + s * lists(),
                    .locations = locations_.data(),
                    .misses = misses_.data(),
                    .misses_per_seat = misses_per_seat(),
                    .counters = counters_.data()},
                   on);
  }

  // Fills the pools; then the mean of a circle.
  struct usage {
    double asked = 0, missed = 0;  // of a request and step
  };
  usage settle() {
    usage u;
    for (std::int64_t i = 0; i < 2 * d_.steps; ++i) {
      check("launch of resolve", step(i, nullptr));
      if (i < d_.steps) continue;
      for (const row_counters& c : counters_.values()) {
        u.asked += c.asked;
        u.missed += c.misses;
      }
    }
    const double steps = 1.0 * d_.steps * b_.seats;
    return {u.asked / steps, u.missed / steps};
  }

 private:
  [[nodiscard]] std::int64_t slots() const { return std::int64_t{b_.seats} * d_.slots; }
  [[nodiscard]] std::int64_t lists() const { return std::int64_t{b_.lanes()} * model().top_k; }
  [[nodiscard]] std::int64_t misses_per_seat() const {
    return b_.queries * (model().top_k + std::int64_t{1});
  }
  [[nodiscard]] pool_columns columns() const {
    return {headers_.data(), slot_of_.data(), token_of_.data(), stamp_.data(), order_.data()};
  }
  void reset(std::int32_t home) {
    check("launch of reset_pool",
          reset_pool({.kind = kind_,
                      .pools = columns(),
                      .home = home,
                      .map_base = std::int64_t{home} * d_.map_tokens(),
                      .map_tokens = kind_ == pool_kind::hash_scan ? 0 : d_.map_tokens(),
                      .first_slot = std::int64_t{home} * d_.slots,
                      .slots = d_.slots,
                      .order_entries = kind_ == pool_kind::lru ? 2 : 1},
                     nullptr));
  }

  pool_kind kind_;
  drift d_;
  batch_size b_;
  array<token_id> selected_;
  array<seat_state> seats_;
  array<pool_header> headers_;
  array<slot_id> slot_of_;
  array<token_id> token_of_;
  array<std::uint32_t> stamp_;
  array<slot_id> order_;
  array<row_location> locations_;
  array<std::uint8_t> misses_;
  array<row_counters> counters_;
};

void run(State& state, pool_kind kind, const drift& d, batch_size b) {
  pools p(kind, d, b);
  const pools::usage u = p.settle();
  const kernel_work work = work_of_resolve(kind, b.seats, static_cast<std::int64_t>(u.asked),
                                           static_cast<std::int64_t>(u.missed), d.slots);
  time_launches(state, work, d.steps, [&](std::int64_t i, cudaStream_t on) { return p.step(i, on); });
  state.counters["share_missed"] = u.missed / u.asked;
}

}  // namespace

void add_resolve() {
  const auto drifts = [] {
    const auto size = [](std::int64_t real, std::int64_t tiny) {
      return static_cast<std::int32_t>(sized(real, tiny));
    };
    return std::vector<drift>{{size(32'768, 150), size(4'096, 40)},
                              {size(32'768, 150), size(6'554, 65)},
                              {size(131'072, 200), size(26'214, 80)}};
  }();
  for (const batch_size b : batch_sizes()) {
    for (const pool_kind kind : {pool_kind::lru, pool_kind::clock, pool_kind::hash_scan})
      for (const drift& d : drifts)
        add(fmt::format("resolve/{}/slots:{}/lanes:{}", to_string(kind), d.slots, b.lanes()),
            [=](State& state) { run(state, kind, d, b); });
    add(fmt::format("resolve/stage_all/lanes:{}", b.lanes()),
        [=, d = drifts.front()](State& state) { run(state, pool_kind::none, d, b); });
  }
}

}  // namespace ess::ESS_CUDA::bench
