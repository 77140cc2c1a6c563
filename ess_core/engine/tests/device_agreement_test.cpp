// What a CUDA device does is what the CPU device does: on the same ids exactly, and on its own near enough.
#include <fmt/format.h>

#include <algorithm>

#include "ess_core/engine/selections.h"
#include "ess_core/engine/tests/serving.h"

namespace ess::test {
namespace {

constexpr token_id prompt = 100;
constexpr std::int32_t steps = 6;
constexpr std::int32_t queries = 2;

scenario of(tested_device on, std::string_view system, pool_kind policy) {
  return {.system = system,
          .ess = {.pool_rows = 48, .policy = policy},
          .warm_up = warm_up_kind::empty,
          .query_tokens = queries,
          .mean_kept = 1.5,
          .room = 2,
          .seats = 2,
          .on = on};
}

// What a step began with, and what came of it.
struct recorded_step {
  std::vector<seat_state> seats;
  std::vector<token_id> selected;  // the whole buffer
  std::vector<row_counters> counters;
};

template <class T>
std::vector<T> read_all(const fixture& f, buffer_id buffer) {
  std::vector<T> out(static_cast<std::size_t>(buffer_bytes(f.layout, buffer).value) / sizeof(T));
  f.on->read(buffer, 0, std::as_writable_bytes(std::span(out)));
  return out;
}

std::vector<recorded_step> decode(fixture& f) {
  f.engine->admit_batch({{0, prompt, steps * queries}, {1, prompt - 9, steps * queries}});
  std::vector<recorded_step> out;
  for (std::int32_t i = 0; i < steps; ++i) {
    std::vector<seat_state> seats;
    (void)f.engine->step([&](const operation&) {
      if (seats.empty()) seats = f.engine->seats();
    });
    out.push_back(
        {seats, read_all<token_id>(f, buffer_id::selected), read_all<row_counters>(f, buffer_id::counters)});
  }
  return out;
}

// Only what depends on ids: where rows lie, and their transfer.
step_program rows_only(const fixture& f) {
  program_builder b(f.model, f.layout.shape, f.system->latent_copies(f.model));
  for (std::int32_t layer = 0; layer < f.model.layers; ++layer) {
    f.system->resolve(b, layer, b.whole_batch());
    f.system->fetch(b, layer, b.whole_batch());
  }
  return std::move(b).finish();
}

struct pool_case {
  tested_device on;
  std::string_view system;
  pool_kind policy;
};

class replayed_ids : public testing::TestWithParam<pool_case> {};

TEST_P(replayed_ids, hit_miss_and_move_what_they_did_on_the_cpu) {
  const pool_case& c = GetParam();
  if (!is_here(c.on)) GTEST_SKIP() << "no " << name_of(c.on) << " device here";
  fixture cpu(of(tested_device::cpu, c.system, c.policy));
  const std::vector<recorded_step> recorded = decode(cpu);
  fixture other(of(c.on, c.system, c.policy));
  for (const seat_state& seat : recorded.front().seats) other.on->reset_pool(seat);
  const step_program program = rows_only(other);
  const std::vector<row_counters> zero(recorded.front().counters.size());
  std::int64_t misses = 0;
  for (const recorded_step& step : recorded) {
    other.on->write(buffer_id::seats, 0, std::as_bytes(std::span(step.seats)));
    other.on->write(buffer_id::selected, 0, std::as_bytes(std::span(step.selected)));
    other.on->write(buffer_id::counters, 0, std::as_bytes(std::span(zero)));
    // `selected` of all layers is given; a layer's `resolve` reads its own.
    (void)other.on->run(program);
    const auto counters = read_all<row_counters>(other, buffer_id::counters);
    for (std::size_t i = 0; i < counters.size(); ++i) {
      EXPECT_EQ(counters[i].asked, step.counters[i].asked);
      EXPECT_EQ(counters[i].hits, step.counters[i].hits);
      EXPECT_EQ(counters[i].misses, step.counters[i].misses);
      EXPECT_EQ(counters[i].rows_in, step.counters[i].rows_in);
      misses += counters[i].misses;
    }
  }
  EXPECT_GT(misses, 0);
}

std::vector<pool_case> pool_cases() {
  std::vector<pool_case> out;
  for (const tested_device on : {tested_device::cuda_emulated, tested_device::cuda}) {
    out.push_back({on, "ess", pool_kind::lru});
    out.push_back({on, "ess", pool_kind::clock});
    out.push_back({on, "hisparse", pool_kind::lru});
    out.push_back({on, "naive_gather", pool_kind::lru});
    out.push_back({on, "naive_memcpy", pool_kind::lru});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(devices, replayed_ids, testing::ValuesIn(pool_cases()), [](const auto& of) {
  return fmt::format("{}_{}_{}", name_of(of.param.on), of.param.system, to_string(of.param.policy));
});

class free_running : public testing::TestWithParam<tested_device> {};

// Sums have another order on another device, so now and then a rounding tips an id over the edge of the
// top-k.
TEST_P(free_running, selects_nearly_the_ids_that_the_cpu_selects) {
  if (!is_here(GetParam())) GTEST_SKIP() << "no " << name_of(GetParam()) << " device here";
  fixture cpu(of(tested_device::cpu, "ess", pool_kind::lru));
  fixture other(of(GetParam(), "ess", pool_kind::lru));
  const auto want = decode(cpu);
  const auto got = decode(other);
  std::int64_t ids = 0;
  std::int64_t equal = 0;
  for (std::size_t s = 0; s < want.size(); ++s) {
    for (std::size_t i = 0; i < want[s].selected.size(); ++i) {
      ids += want[s].selected[i] >= 0 ? 1 : 0;
      equal += want[s].selected[i] >= 0 && want[s].selected[i] == got[s].selected[i] ? 1 : 0;
    }
  }
  const double share = static_cast<double>(equal) / static_cast<double>(ids);
  RecordProperty("share_of_equal_ids", fmt::format("{:.5f}", share));
  EXPECT_GT(share, 0.98);
}

INSTANTIATE_TEST_SUITE_P(devices, free_running,
                         testing::Values(tested_device::cuda_emulated, tested_device::cuda),
                         [](const auto& of) { return std::string(name_of(of.param)); });

}  // namespace
}  // namespace ess::test
