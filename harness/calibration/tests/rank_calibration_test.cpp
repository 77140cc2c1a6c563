#include "harness/calibration/rank_calibration.h"

#include <mutex>

#include "ess_core/communicator/testing/thread_ranks.h"

namespace harness {
namespace {

TEST(rank_calibration, gives_a_profile_that_the_simulator_reads) {
  std::string text;
  std::mutex mutex;
  ess::test::run_ranks(2, [&](ess::communicator& ranks) {
    const auto profile =
        calibrate_ranks(ranks, {.model = "tiny_moe", .batches = {1, 2}, .contexts = {128, 256}, .steps = 3});
    const std::scoped_lock lock(mutex);
    if (text.empty()) text = profile_text(profile.hardware);
    EXPECT_EQ(text, profile_text(profile.hardware));  // on every rank
  });
  const auto read = workloads::parse_hardware(text, "profile.json");
  ASSERT_TRUE(read.has_value()) << to_string(read.error());
  EXPECT_EQ(read->hardware.name, "calibrated_ep2");
  EXPECT_EQ(read->hardware.expert_ranks, 2);
  using enum ess::op_kind;
  for (const ess::op_kind kind :
       {score_keys, attend, resolve, merge, append_row, output, route, dispatch, experts, combine}) {
    const ess::sim::cost_table& table = read->hardware.operations[static_cast<std::size_t>(kind)];
    ASSERT_EQ(table.curves().size(), 2u) << to_string(kind);  // batches
    EXPECT_GT(table.at(2, 128).us, 0);
  }
  EXPECT_TRUE(read->hardware.operations[static_cast<std::size_t>(fetch)].empty());
}

TEST(rank_calibration, of_a_model_that_there_is_not_is_refused) {
  const auto alone = ess::make_lone_communicator();
  EXPECT_THROW((void)calibrate_ranks(*alone, {.model = "deepseek_v3", .batches = {1}, .contexts = {64}}),
               std::exception);
}

}  // namespace
}  // namespace harness
