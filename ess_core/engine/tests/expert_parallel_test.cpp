// Experts spread over ranks: what a request computes, and which of its rows hit, depend neither on how many
// ranks there are nor on which of them decodes it.
#include <fmt/format.h>

#include <mutex>

#include "baselines/systems.h"
#include "ess_core/communicator/testing/thread_ranks.h"
#include "ess_core/device/tests/tested_devices.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/engine/decode_engine.h"
#include "ess_core/model/presets.h"

namespace ess {
namespace {

constexpr std::uint64_t seed = 3;
constexpr std::int32_t all_requests = 8;
constexpr std::int32_t steps = 3;
constexpr token_id context = 100;

struct spread {
  std::string name;
  std::string_view system = "ess";
  overlap_choice overlap = {};
  std::int32_t query_tokens = 1;
  test::tested_device on = test::tested_device::cpu;
};

std::unique_ptr<device> make_device(test::tested_device on, communicator* ranks) {
  if (on == test::tested_device::cuda_emulated) return cuda_emulated::make_device({.ranks = ranks});
  return make_cpu_device({.ranks = ranks});
}

std::string name_of(const testing::TestParamInfo<spread>& info) { return info.param.name; }
void PrintTo(const spread& s, std::ostream* out) { *out << s.name; }

struct decoded {
  std::map<request_id, std::vector<std::vector<float>>> hidden;  // after each step
  std::int64_t hits = 0;
  std::int64_t misses = 0;
  std::vector<std::int64_t> rows_by_expert;
  std::int64_t rows_here = 0;
  std::int64_t bytes_sent = 0;

  void add(const expert_traffic& t) {
    rows_by_expert.resize(t.rows_by_expert.size());
    for (std::size_t e = 0; e < rows_by_expert.size(); ++e) rows_by_expert[e] += t.rows_by_expert[e];
    rows_here += t.rows_here;
    bytes_sent += t.bytes_sent;
  }
};

// One rank's share of the requests; `ranks` null: all of them.
decoded decode(const spread& what, communicator* ranks) {
  const int count = ranks != nullptr ? ranks->ranks() : 1;
  const std::int32_t batch = all_requests / count;
  model_dims model = find_model_preset("tiny_moe").value();
  if (what.query_tokens > 1) model = with_draft_layers(model);
  const auto system = make_system(what.system, {.sparse_ratio = 0.4});
  const memory_layout layout = make_layout({.model = model,
                                            .query_tokens = what.query_tokens,
                                            .final_tokens = context + steps * what.query_tokens,
                                            .ranks = count},
                                           *system, batch, batch);
  const auto device = make_device(what.on, ranks);
  device->allocate(layout, seed);
  prefill_source prefill(model, seed);
  decode_engine engine(*device, *system, prefill,
                       {.layout = layout,
                        .seed = seed,
                        .overlap = effective_overlap(*system, what.overlap.kind),
                        .micro_batches = what.overlap.micro_batches,
                        .experts_elsewhere = count > 1,
                        .mean_kept = 0.5 * (1 + what.query_tokens)});
  std::vector<request> requests;
  for (std::int32_t i = 0; i < batch; ++i) {
    requests.push_back(
        {(ranks != nullptr ? ranks->rank() : 0) * batch + i, context, steps * what.query_tokens});
  }
  engine.admit_batch(requests);
  decoded out;
  for (std::int32_t step = 0; step < steps; ++step) {
    const step_report report = engine.step();
    out.hits += report.rows.hits;
    out.misses += report.rows.misses;
    out.add(report.timing.experts);
    const auto lanes = static_cast<std::size_t>(batch * what.query_tokens);
    const auto of_request = static_cast<std::size_t>(what.query_tokens * model.hidden);
    std::vector<float> hidden(lanes * static_cast<std::size_t>(model.hidden));
    device->read(buffer_id::hidden, 0, std::as_writable_bytes(std::span(hidden)));
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const auto first = hidden.begin() + static_cast<std::ptrdiff_t>(i * of_request);
      out.hidden[requests[i].id].emplace_back(first, first + static_cast<std::ptrdiff_t>(of_request));
    }
  }
  return out;
}

decoded decode_over(const spread& what, int count) {
  decoded all;
  std::mutex mutex;
  test::run_ranks(count, [&](communicator& ranks) {
    decoded mine = decode(what, &ranks);
    const std::scoped_lock lock(mutex);
    all.hidden.merge(mine.hidden);
    all.hits += mine.hits;
    all.misses += mine.misses;
    all.add({mine.rows_by_expert, mine.rows_here, mine.bytes_sent});
  });
  return all;
}

std::vector<spread> all_spreads() {
  std::vector<spread> out;
  for (const auto system : system_names()) {
    out.push_back({.name = std::string(system), .system = system});
    out.push_back(
        {.name = fmt::format("{}_two_batches", system), .system = system, .overlap = {.micro_batches = 2}});
    out.push_back({.name = fmt::format("{}_mtp", system), .system = system, .query_tokens = 2});
  }
  for (const overlap_kind kind : {overlap_kind::da, overlap_kind::dba, overlap_kind::layerwise}) {
    for (const std::int32_t batches : {1, 2}) {
      out.push_back({.name = fmt::format("ess_{}_{}", to_string(kind), batches),
                     .overlap = {.kind = kind, .micro_batches = batches}});
    }
  }
  return out;
}

class expert_parallel : public testing::TestWithParam<spread> {};

TEST_P(expert_parallel, equals_one_rank_bit_for_bit) {
  const decoded alone = decode(GetParam(), nullptr);
  for (const int ranks : {1, 2, 4}) {
    SCOPED_TRACE(testing::Message() << ranks << " ranks");
    const decoded over = decode_over(GetParam(), ranks);
    EXPECT_EQ(over.hidden, alone.hidden);
    EXPECT_EQ(over.hits, alone.hits);
    EXPECT_EQ(over.misses, alone.misses);
    EXPECT_EQ(over.rows_by_expert, alone.rows_by_expert);
    EXPECT_EQ(over.rows_here, alone.rows_here);
    EXPECT_EQ(over.bytes_sent > 0, ranks > 1);
  }
}

INSTANTIATE_TEST_SUITE_P(systems, expert_parallel, testing::ValuesIn(all_spreads()), name_of);

// The order of a GPU's sums follows the number of experts beside, so values differ by roundings.
class expert_parallel_on_gpus : public testing::TestWithParam<spread> {};

TEST_P(expert_parallel_on_gpus, equals_one_rank_but_for_roundings) {
  const decoded alone = decode(GetParam(), nullptr);
  const decoded over = decode_over(GetParam(), 2);
  ASSERT_EQ(over.hidden.size(), alone.hidden.size());
  for (const auto& [id, steps_of] : alone.hidden) {
    for (std::size_t step = 0; step < steps_of.size(); ++step) {
      for (std::size_t i = 0; i < steps_of[step].size(); ++i)
        ASSERT_NEAR(over.hidden.at(id)[step][i], steps_of[step][i], 1e-4)
            << "request " << id << ", step " << step;
    }
  }
  EXPECT_EQ(over.hits, alone.hits);
  EXPECT_EQ(over.misses, alone.misses);
  EXPECT_GT(over.bytes_sent, 0);
}

constexpr auto emulated = test::tested_device::cuda_emulated;
INSTANTIATE_TEST_SUITE_P(cuda_emulated, expert_parallel_on_gpus,
                         testing::Values(spread{.name = "ess_dba_two_batches",
                                                .overlap = {.kind = overlap_kind::dba, .micro_batches = 2},
                                                .on = emulated},
                                         spread{.name = "hisparse", .system = "hisparse", .on = emulated}),
                         name_of);

// Eight experts over three ranks: one holds fewer.
TEST(expert_parallel_shares, need_not_be_even) {
  const moe_dims moe = find_model_preset("tiny_moe")->moe;
  EXPECT_EQ(experts_of(moe, 0, 3), (expert_range{0, 2}));
  EXPECT_EQ(experts_of(moe, 1, 3), (expert_range{2, 5}));
  EXPECT_EQ(experts_of(moe, 2, 3), (expert_range{5, 8}));
  EXPECT_EQ(most_copies_to_a_rank(moe, 8), 1);
  EXPECT_EQ(most_copies_to_a_rank(moe, 3), 3);
}

TEST(expert_parallel_shares, a_rank_that_fails_ends_the_others) {
  const auto body = [](communicator& ranks) {
    if (ranks.rank() == 1) throw std::bad_alloc();
    (void)decode({.name = "", .system = "all_gpu"}, &ranks);
  };
  EXPECT_THROW(test::run_ranks(2, body), std::exception);
}

TEST(expert_parallel_shares, a_layout_for_other_ranks_is_refused) {
  const auto device = make_cpu_device({});
  const memory_layout layout =
      make_layout({.model = find_model_preset("tiny_moe").value(), .final_tokens = 64, .ranks = 2},
                  *make_system("ess", {}), 1, 1);
  EXPECT_THROW(device->allocate(layout, seed), std::invalid_argument);
}

}  // namespace
}  // namespace ess
