// What the overlaps promise, seen in the timeline of a simulated step.
#include <algorithm>
#include <map>

#include "ess_core/device/sim/tests/simulated.h"

namespace ess::sim {
namespace {

using test::scenario;
using test::simulated;

// A link so slow that every layer waits for its rows: 3.3 us a row.
sim_device_options slow_link() {
  sim_device_options out{.hardware = test::round_hardware(), .locality = test::small_streams()};
  out.hardware.gather_gb_per_s = {0.2};
  return out;
}

struct interval {
  double start = 0;
  double end = 0;
  [[nodiscard]] bool meets(interval other) const { return start < other.end && other.start < end; }
};

// The step that comes after a few others, all seats in use.
struct timeline {
  explicit timeline(scenario what) : f(std::move(what)) {
    f.fill(300, 50);
    for (int step = 0; step < 6; ++step) report = f.engine->step();
  }

  [[nodiscard]] std::vector<interval> all(op_kind kind, std::int32_t layer, std::int32_t first_seat = -1,
                                          row_part part = row_part::all) const {
    std::vector<interval> out;
    for (std::size_t i = 0; i < report.program->operations.size(); ++i) {
      const operation& op = report.program->operations[i];
      const bool right_part = kind != op_kind::attend || op.part == part;
      if (op.kind != kind || op.layer != layer || !right_part) continue;
      if (first_seat >= 0 && op.slice.first != first_seat) continue;
      const op_timing& t = report.timing.operations[i];
      out.push_back({t.start.count(), t.end.count()});
    }
    return out;
  }
  // The only one.
  [[nodiscard]] interval at(op_kind kind, std::int32_t layer, std::int32_t first_seat = -1,
                            row_part part = row_part::all) const {
    const auto found = all(kind, layer, first_seat, part);
    EXPECT_EQ(found.size(), 1u) << to_string(kind);
    return found.empty() ? interval{} : found.front();
  }
  // How much of it passes while the compute stream is busy.
  [[nodiscard]] double covered(interval what) const {
    double sum = 0;
    for (std::size_t i = 0; i < report.program->operations.size(); ++i) {
      if (report.program->operations[i].stream != stream_id::compute) continue;
      const op_timing& t = report.timing.operations[i];
      sum += std::max(0.0, std::min(what.end, t.end.count()) - std::max(what.start, t.start.count()));
    }
    return sum;
  }
  [[nodiscard]] double step_us() const { return report.timing.total.count(); }

  simulated f;
  step_report report;
};

TEST(sim_overlap, none_fetches_after_the_projections_and_attends_after_the_fetch) {
  const timeline t({.device = slow_link()});
  for (std::int32_t layer = 0; layer < 3; ++layer) {
    const interval fetch = t.at(op_kind::fetch, layer);
    EXPECT_GE(fetch.start, t.at(op_kind::project_attention, layer).end);
    EXPECT_GE(fetch.start, t.at(op_kind::resolve, layer).end);
    EXPECT_GE(t.at(op_kind::attend, layer).start, fetch.end);
    EXPECT_EQ(t.covered(fetch), 0);
  }
}

TEST(sim_overlap, da_fetches_under_the_projections_and_the_attention_of_resident_rows) {
  const timeline t({.overlap = {.kind = overlap_kind::da}, .device = slow_link()});
  for (std::int32_t layer = 0; layer < 3; ++layer) {
    const interval fetch = t.at(op_kind::fetch, layer);
    const interval projection = t.at(op_kind::project_attention, layer);
    const interval resident = t.at(op_kind::attend, layer, -1, row_part::resident);
    const interval incoming = t.at(op_kind::attend, layer, -1, row_part::incoming);
    EXPECT_EQ(fetch.start, t.at(op_kind::resolve, layer).end);
    EXPECT_LE(fetch.start, projection.start);
    EXPECT_TRUE(fetch.meets(projection));
    EXPECT_TRUE(fetch.meets(resident));
    EXPECT_GE(incoming.start, fetch.end);
    EXPECT_GE(t.at(op_kind::merge, layer).start, incoming.end);
    EXPECT_NEAR(t.covered(fetch), resident.end - projection.start, 1e-9);
  }
  EXPECT_LT(t.step_us(), timeline({.device = slow_link()}).step_us());
}

// Attention so slow that its rows decide: parts of a split take what the whole takes, and a kernel each.
TEST(sim_overlap, a_split_attention_attends_to_every_row_once) {
  std::map<overlap_kind, double> us;
  for (const overlap_kind kind : {overlap_kind::none, overlap_kind::da, overlap_kind::dba}) {
    sim_device_options device = slow_link();
    device.hardware.attention_tflops = {1e-3};
    device.hardware.gather_sm_share = {0};  // nor does the fetch slow it
    const timeline t({.overlap = {.kind = kind}, .query_tokens = 2, .mean_kept = 1.5, .device = device});
    for (const row_part part : {row_part::all, row_part::resident, row_part::incoming}) {
      for (const interval attend : t.all(op_kind::attend, 1, -1, part))
        us[kind] += attend.end - attend.start - 1;
    }
  }
  EXPECT_GT(us[overlap_kind::none], 1000);
  EXPECT_NEAR(us[overlap_kind::da], us[overlap_kind::none], 1e-6);
  EXPECT_NEAR(us[overlap_kind::dba], us[overlap_kind::none], 1e-6);
}

TEST(sim_overlap, dba_fetches_half_the_rows_while_the_other_half_scores) {
  const timeline t({.overlap = {.kind = overlap_kind::dba}, .device = slow_link()});
  for (std::int32_t layer = 0; layer < 3; ++layer) {
    const interval first = t.at(op_kind::fetch, layer, 0);
    const interval second = t.at(op_kind::fetch, layer, 2);
    EXPECT_TRUE(first.meets(t.at(op_kind::score_keys, layer, 2)));
    EXPECT_LE(first.end, second.start);
    EXPECT_LT(first.start, t.at(op_kind::project_attention, layer).start);
    EXPECT_GE(t.at(op_kind::attend, layer, 0, row_part::incoming).start, first.end);
    EXPECT_GE(t.at(op_kind::attend, layer, 2, row_part::incoming).start, second.end);
  }
}

TEST(sim_overlap, layerwise_halves_the_batch_where_layers_miss_much) {
  const timeline t({.overlap = {.kind = overlap_kind::layerwise},
                    .layer_misses = {0, 30, 0},  // dba from 0.2 x 32 on
                    .device = slow_link()});
  EXPECT_EQ(t.all(op_kind::fetch, 0).size(), 1u);
  EXPECT_EQ(t.all(op_kind::fetch, 1).size(), 2u);
  EXPECT_EQ(t.all(op_kind::fetch, 2).size(), 1u);
  EXPECT_TRUE(t.at(op_kind::fetch, 1, 0).meets(t.at(op_kind::score_keys, 1, 2)));
}

// Of the experts that lie elsewhere, two-batch overlap hides both ways of the journey.
scenario experts_elsewhere(std::int32_t micro_batches) {
  sim_device_options device = slow_link();
  device.hardware.gather_gb_per_s = {1000};
  device.hardware.rdma_gb_per_s = {0.2};  // a journey takes some microseconds
  device.cluster = {.nodes = 2, .expert_ranks = 4};
  return {.preset = "tiny_moe",
          .overlap = {.kind = overlap_kind::da, .micro_batches = micro_batches, .experts_elsewhere = true},
          .device = device};
}

TEST(sim_overlap, one_batch_waits_for_both_ways_of_its_journey) {
  const timeline t(experts_elsewhere(1));
  for (const std::int32_t layer : {1, 2}) {
    const interval out = t.at(op_kind::dispatch, layer), back = t.at(op_kind::combine, layer);
    EXPECT_EQ(t.covered(out), 0);
    EXPECT_EQ(t.covered(back), 0);
    EXPECT_GE(t.at(op_kind::experts, layer).start, out.end);
    EXPECT_GE(back.start, t.at(op_kind::experts, layer).end);
  }
  EXPECT_GE(t.at(op_kind::project_index, 2).start, t.at(op_kind::combine, 1).end);
}

TEST(sim_overlap, of_two_batches_one_computes_while_the_other_travels) {
  const timeline t(experts_elsewhere(2));
  const interval out = t.at(op_kind::dispatch, 2, 0), back = t.at(op_kind::combine, 1, 0);
  EXPECT_TRUE(out.meets(t.at(op_kind::project_index, 2, 2)));
  EXPECT_TRUE(back.meets(t.at(op_kind::project_attention, 1, 2)));
  EXPECT_GT(t.covered(out), 0.5 * (out.end - out.start));
  EXPECT_GT(t.covered(back), 0.5 * (back.end - back.start));
  EXPECT_TRUE(t.at(op_kind::dispatch, 1, 2).meets(t.at(op_kind::project_index, 2, 0)));
  EXPECT_GE(t.at(op_kind::experts, 1, 2).start, t.at(op_kind::dispatch, 1, 2).end);
}

}  // namespace
}  // namespace ess::sim
