#include "ess_core/device/cuda/kernels/resolve.h"

#include <algorithm>
#include <set>

#include "ess_core/base/random.h"
#include "ess_core/cache/owned_pool.h"
#include "ess_core/cache/sparse_pool.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"

namespace ess::ESS_CUDA::test {
namespace {

struct shape {
  pool_kind kind;
  std::int32_t seats, queries, top_k;
  std::int32_t slots;  // a seat
  bool drafts;         // new tokens every step, some of them rejected
};

void PrintTo(const shape& s, std::ostream* out) {
  *out << to_string(s.kind) << ", " << s.seats << " seats, " << s.queries << " queries, top " << s.top_k
       << ", " << s.slots << " slots";
}

constexpr token_id context = 600;
constexpr std::int32_t steps = 25;

// What a seat asks for in a step: ids that drift slowly, so that there are hits, misses and victims.
std::vector<token_id> draw(const shape& s, std::int32_t seat, std::int32_t step, token_id position) {
  const counter_rng rng(7, purpose::microbenchmark, static_cast<std::uint32_t>(seat * 1000 + step));
  std::vector<token_id> out;
  for (std::int32_t q = 0; q < s.queries; ++q) {
    const token_id length = position + q + 1;
    std::set<token_id> ids{length - 1};  // a token finds itself relevant
    const auto wanted = static_cast<std::size_t>(std::min(s.top_k - (step + seat) % 3, length));
    for (std::uint64_t i = 0; ids.size() < wanted; ++i) {
      const auto near = static_cast<token_id>(rng.below(3 * s.top_k, 4096 * q + 2 * i)) + step * 3;
      const auto any =
          static_cast<token_id>(rng.below(static_cast<std::uint64_t>(length), 4096 * q + 2 * i + 1));
      ids.insert(i % 4 != 0 && near < length ? near : any);
    }
    std::vector<token_id> list(ids.begin(), ids.end());
    list.resize(static_cast<std::size_t>(s.top_k), -1);
    out.insert(out.end(), list.begin(), list.end());
  }
  return out;
}

// The CPU's pools, one a seat, and the device's, all in one.
class both {
 public:
  explicit both(const shape& s)
      : s_(s),
        headers_(static_cast<std::size_t>(s.seats)),
        slot_of_(static_cast<std::size_t>(s.seats * context)),
        token_of_(slots()),
        stamp_(slots()),
        order_(2 * slots()),
        selected_(lanes() * top_k()),
        locations_(lanes() * top_k()),
        misses_(static_cast<std::size_t>(s.seats * (per_seat() + 1) * 8)),
        counters_(static_cast<std::size_t>(s.seats)),
        seats_(static_cast<std::size_t>(s.seats)) {
    for (std::int32_t i = 0; i < s.seats; ++i) {
      cpu_.emplace_back(s.kind, context, s.slots);
      reset(i);
    }
  }

  // The last seat stays out of the slice.
  void step(std::int32_t number) {
    std::vector<seat_state> states;
    std::vector<token_id> ids;
    for (std::int32_t i = 0; i < s_.seats; ++i) {
      const token_id position = s_.drafts ? 100 + number : 100;  // one of several tokens is kept
      states.push_back(state_of(i, position));
      const auto own = draw(s_, i, number, position);
      ids.insert(ids.end(), own.begin(), own.end());
    }
    check(
        cudaMemcpy(seats_.data(), states.data(), states.size() * sizeof(seat_state), cudaMemcpyHostToDevice));
    check(cudaMemcpy(selected_.data(), ids.data(), ids.size() * sizeof(token_id), cudaMemcpyHostToDevice));
    check(resolve(params(s_.seats - 1), nullptr));
    compare(states, ids, number);
  }

 private:
  [[nodiscard]] std::size_t slots() const { return static_cast<std::size_t>(s_.seats * s_.slots); }
  [[nodiscard]] std::size_t lanes() const { return static_cast<std::size_t>(s_.seats * s_.queries); }
  [[nodiscard]] std::size_t top_k() const { return static_cast<std::size_t>(s_.top_k); }
  [[nodiscard]] std::int64_t per_seat() const { return s_.queries * (s_.top_k + std::int64_t{1}); }
  // Homes are not seats.
  [[nodiscard]] std::int32_t home(std::int32_t seat) const { return s_.seats - 1 - seat; }
  [[nodiscard]] seat_state state_of(std::int32_t seat, token_id position) const {
    return {.request = seat,
            .home = home(seat),
            .position = position,
            .new_tokens = s_.drafts ? s_.queries : 0,
            .device_base = home(seat) * std::int64_t{s_.slots},
            .device_rows = s_.slots,
            .map_base = home(seat) * std::int64_t{context},
            .map_tokens = context};
  }
  [[nodiscard]] pool_columns columns() const {
    return {headers_.data(), slot_of_.data(), token_of_.data(), stamp_.data(), order_.data()};
  }
  void reset(std::int32_t seat) {
    check(reset_pool({.kind = s_.kind,
                      .pools = columns(),
                      .home = home(seat),
                      .map_base = home(seat) * std::int64_t{context},
                      .map_tokens = s_.kind == pool_kind::hash_scan ? 0 : context,
                      .first_slot = home(seat) * std::int64_t{s_.slots},
                      .slots = s_.slots,
                      .order_entries = s_.kind == pool_kind::lru ? 2 : 1},
                     nullptr));
  }
  [[nodiscard]] resolve_params params(std::int32_t seats) const {
    return {.lanes = {seats_.data(), 0, seats, s_.queries},
            .rows = {.latents = nullptr, .staging = nullptr, .row_bytes = 656, .weight = 65536},
            .kind = s_.kind,
            .pools = columns(),
            .top_k = s_.top_k,
            .selected = selected_.data(),
            .locations = locations_.data(),
            .misses = misses_.data(),
            .misses_per_seat = per_seat(),
            .counters = counters_.data()};
  }

  void compare(const std::vector<seat_state>& states, const std::vector<token_id>& ids, std::int32_t number) {
    const auto locations = locations_.values();
    const auto misses = misses_.values();
    const auto counters = counters_.values();
    const auto headers = headers_.values();
    for (std::int32_t i = 0; i + 1 < s_.seats; ++i) {
      SCOPED_TRACE(testing::Message() << "step " << number << ", seat " << i);
      const std::size_t n = static_cast<std::size_t>(s_.queries) * top_k();
      std::vector<row_location> want(n);
      std::vector<row_miss> missed(static_cast<std::size_t>(per_seat()));
      resolve_output out{.locations = want, .misses = missed};
      const std::span own = std::span(ids).subspan(i * n, n);
      if (s_.kind == pool_kind::none) {
        stage_all(own, s_.queries, out);
      } else {
        const seat_state& state = states[static_cast<std::size_t>(i)];
        ess::resolve(cpu_[static_cast<std::size_t>(i)].view(),
                     {.selected = own,
                      .query_tokens = s_.queries,
                      .first_new = state.position,
                      .new_tokens = state.new_tokens},
                     out);
      }
      ASSERT_EQ(std::vector(locations.begin() + i * n, locations.begin() + (i + 1) * n), want);
      const row_counters& c = counters[static_cast<std::size_t>(i)];
      ASSERT_EQ(c.asked, out.asked);
      ASSERT_EQ(c.misses, out.missed);
      ASSERT_EQ(c.hits + c.misses, c.asked);
      const std::uint8_t* record = misses.data() + i * (per_seat() + 1) * 8;
      ASSERT_EQ(*reinterpret_cast<const std::int32_t*>(record), out.missed);
      const auto* list = reinterpret_cast<const row_miss*>(record + 8);
      for (std::int32_t m = 0; m < out.missed; ++m) {
        ASSERT_EQ(list[m].token, missed[static_cast<std::size_t>(m)].token) << m;
        ASSERT_EQ(list[m].location, missed[static_cast<std::size_t>(m)].location) << m;
      }
      if (s_.kind == pool_kind::none) continue;
      const pool_header& header = headers[static_cast<std::size_t>(home(i))];
      const pool_header& want_header = *cpu_[static_cast<std::size_t>(i)].view().header;
      ASSERT_EQ(header.used, want_header.used);
      for (std::int32_t q = 0; q < (s_.drafts ? s_.queries : 0); ++q)
        ASSERT_EQ(header.new_rows[q], want_header.new_rows[q]);
    }
  }

  shape s_;
  std::vector<owned_pool> cpu_;
  device_array<pool_header> headers_;
  device_array<slot_id> slot_of_;
  device_array<token_id> token_of_;
  device_array<std::uint32_t> stamp_;
  device_array<slot_id> order_;
  device_array<token_id> selected_;
  device_array<row_location> locations_;
  device_array<std::uint8_t> misses_;
  device_array<row_counters> counters_;
  device_array<seat_state> seats_;
};

class cuda_resolve : public on_device, public testing::WithParamInterface<shape> {};

// Slot for slot. Since every later step depends on the order in which rows are given up, an order that
// differed would show.
TEST_P(cuda_resolve, gives_what_the_cpu_gives) {
  if (IsSkipped()) return;
  both pools(GetParam());
  for (std::int32_t step = 0; step < steps; ++step) {
    pools.step(step);
    if (HasFatalFailure()) return;
  }
}

std::vector<shape> shapes() {
  std::vector<shape> out;
  for (const pool_kind kind : {pool_kind::none, pool_kind::lru, pool_kind::clock, pool_kind::hash_scan}) {
    for (std::int32_t queries = 1; queries <= max_query_tokens; ++queries) {
      for (const std::int32_t slots : {20, 61, 150, 400}) out.push_back({kind, 3, queries, 37, slots, true});
    }
    out.push_back({kind, 2, 1, 37, 61, false});  // as in a warm-up: nothing is new
    out.push_back({kind, 2, 2, 150, 300, true});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(shapes, cuda_resolve, testing::ValuesIn(shapes()));

TEST_F(cuda_resolve, refuses_policies_that_it_does_not_have) {
  EXPECT_FALSE(can_resolve(pool_kind::sieve));
  EXPECT_EQ(resolve({.kind = pool_kind::sieve}, nullptr), cudaErrorNotSupported);
}

TEST(cuda_resolve_work, grows_with_slots_only_where_all_are_walked_over) {
  const auto bytes = [](pool_kind kind, std::int64_t rows) {
    const kernel_work w = work_of_resolve(kind, 10, 2048, 200, rows);
    return w.bytes_read + w.bytes_written;
  };
  EXPECT_EQ(bytes(pool_kind::lru, 6'400), bytes(pool_kind::lru, 64'000));
  EXPECT_EQ(bytes(pool_kind::hash_scan, 8'192) - bytes(pool_kind::hash_scan, 4'096), 10 * 4'096 * 8.0);
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
