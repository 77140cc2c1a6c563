#include "ess_core/nvtx/nvtx.h"

#include "ess_core/nvtx/testing/recording.h"

namespace ess::nvtx {
namespace {

using payload_fields = std::map<std::string, std::int64_t>;

class nvtx_ranges : public testing::Test {
 protected:
  void SetUp() override {
    if (!built_in) GTEST_SKIP() << "built without NVTX headers (nvtx3/nvToolsExt.h)";
  }
};

TEST_F(nvtx_ranges, reach_an_attached_tool_with_names_nesting_and_payload) {
  const recorded_run run = run_recorded({ESSBENCH_NVTX_EMIT});
  ASSERT_EQ(run.exit_code, 0);
  const auto& ranges = run.ranges;
  ASSERT_EQ(ranges.size(), 6U);
  const char* const names[] = {"point", "step 0", "fetch", "step 1", "fetch", "copy stream"};
  const int parents[] = {-1, 0, 1, 0, 3, -1};
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    EXPECT_EQ(ranges[i].domain, "essbench") << i;
    EXPECT_EQ(ranges[i].name, names[i]) << i;
    EXPECT_EQ(ranges[i].parent, parents[i]) << i;
    EXPECT_TRUE(ranges[i].closed) << i;
  }
  EXPECT_NE(ranges[5].thread, ranges[0].thread);
#ifdef ESSBENCH_NVTX_SCHEMA
  EXPECT_EQ(ranges[0].payload, (payload_fields{{"layer", -1}, {"rows", 0}, {"bytes", 0}}));
  EXPECT_EQ(ranges[2].payload, (payload_fields{{"layer", 60}, {"rows", 17}, {"bytes", 11'152}}));
  EXPECT_EQ(ranges[5].payload, (payload_fields{{"layer", 3}, {"rows", -1}, {"bytes", 1'099'511'627'776}}));
#else
  EXPECT_EQ(ranges[5].payload, (payload_fields{{"value", 1'099'511'627'776}}));
#endif
}

TEST_F(nvtx_ranges, carry_their_bytes_where_the_headers_have_no_schemas) {
  const recorded_run run = run_recorded({ESSBENCH_NVTX_EMIT_PLAIN});
  ASSERT_EQ(run.exit_code, 0);
  ASSERT_EQ(run.ranges.size(), 6U);
  EXPECT_EQ(run.ranges[2].name, "fetch");
  EXPECT_EQ(run.ranges[2].payload, (payload_fields{{"value", 11'152}}));
}

TEST(nvtx_without_a_tool, is_not_attached_and_ranges_may_still_be_opened) {
  const scoped_range range("nobody listens", {.layer = 1});
  EXPECT_FALSE(attached());
}

TEST(nvtx_recording, tells_open_ranges_from_closed_ones) {
  const auto ranges = parse_recording("push\t0\td\ta\tbytes=5\npush\t1\td\tb\npop\t0\td\n");
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_TRUE(ranges[0].closed);
  EXPECT_EQ(ranges[0].payload.at("bytes"), 5);
  EXPECT_FALSE(ranges[1].closed);
  EXPECT_EQ(ranges[1].parent, -1);
}

TEST(nvtx_recording, refuses_what_no_program_can_have_emitted) {
  EXPECT_THROW((void)parse_recording("pop\t0\td\n"), recording_error);
  EXPECT_THROW((void)parse_recording("push\t0\n"), recording_error);
  EXPECT_THROW((void)parse_recording("push\t0\td\tname\tbytes=many\n"), recording_error);
  EXPECT_THROW((void)parse_recording("push\t0\td\tname\terror=unknown schema\n"), recording_error);
}

}  // namespace
}  // namespace ess::nvtx
