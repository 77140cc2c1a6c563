#include "harness/calibration/calibration.h"

#include <set>

namespace harness {
namespace {

TEST(calibration, steps_have_labels_of_their_own) {
  for (const auto family : {device_family::cpu, device_family::cuda, device_family::cuda_emulated}) {
    std::set<std::string> labels;
    const auto steps = calibration_steps(family);
    for (const calibration_step& step : steps) EXPECT_TRUE(labels.insert(step.label).second) << step.label;
    EXPECT_GT(steps.size(), 10u);
  }
}

TEST(calibration, rates_follow_from_bytes_and_times) {
  class fixed_probe final : public ess::transfer_probe {
   public:
    [[nodiscard]] ess::clock_kind clock() const override { return ess::clock_kind::wall; }
    [[nodiscard]] std::vector<ess::microseconds> measure(const ess::transfer&, int samples) override {
      return std::vector<ess::microseconds>(static_cast<std::size_t>(samples), ess::microseconds(10));
    }
  } probe;
  const calibration_step step{"rows", {.kind = ess::transfer_kind::gather, .rows = 1000, .row_bytes = 656}};
  const auto attempt = attempt_of(step, probe, 5);
  EXPECT_DOUBLE_EQ(attempt.metrics.at("transfer_gb_per_s").median, 65.6);
  EXPECT_EQ(attempt.metrics.at("transfer_us").n, 5);
}

// Planned and accepted, that is: what gathers and scatters move is tested with the kernels.
TEST(calibration, every_step_runs_on_the_stand_in) {
  const target on = *target::parse("cuda_emulated");
  const auto probe = make_probe(on);
  for (const calibration_step& step : calibration_steps(on.family())) {
    const auto attempt = attempt_of(step, *probe, 2);
    EXPECT_GT(attempt.metrics.at("transfer_us").median, 0) << step.label;
  }
}

TEST(calibration, a_simulated_device_has_nothing_to_measure) {
  EXPECT_THROW((void)make_probe(*target::parse("sim:h200_ep32")), ess::unsupported);
}

TEST(calibration, identities_follow_from_what_is_measured) {
  const auto cpu = calibration_record(calibration_steps(device_family::cpu));
  EXPECT_EQ(cpu.hash, calibration_record(calibration_steps(device_family::cpu)).hash);
  EXPECT_NE(cpu.hash, calibration_record(calibration_steps(device_family::cuda)).hash);
}

}  // namespace
}  // namespace harness
