#include "results/record.h"

#include <limits>
#include <set>

#include "results/tests/scratch.h"

namespace results {
namespace {

TEST(attempt_status, words_and_values_match_both_ways) {
  std::set<std::string_view> words;
  for (int i = 0; i < attempt_status_count; ++i) {
    const auto status = static_cast<attempt_status>(i);
    words.insert(to_string(status));
    EXPECT_EQ(parse_attempt_status(to_string(status)), status);
  }
  EXPECT_EQ(words, (std::set<std::string_view>{"ok", "incorrect", "unsupported", "out_of_memory", "timeout",
                                               "error", "noisy", "throttled", "cancelled", "skipped"}));
  EXPECT_EQ(to_string(attempt_status::throttled), "throttled");
  EXPECT_EQ(parse_attempt_status("OK"), std::nullopt);
  EXPECT_EQ(parse_attempt_status(""), std::nullopt);
}

TEST(attempt_status, a_resumed_run_repeats_what_was_cut_short) {
  for (int i = 0; i < attempt_status_count; ++i) {
    const auto status = static_cast<attempt_status>(i);
    EXPECT_EQ(is_finished(status), status != attempt_status::cancelled && status != attempt_status::skipped);
  }
}

TEST(utc_time, is_written_as_iso_8601_and_read_back) {
  const utc_time at = testing::a_time(3 * 3600 + 18 * 60 + 5) + std::chrono::milliseconds(120);
  EXPECT_EQ(to_iso8601(at), "2025-11-24T03:18:05.120Z");
  EXPECT_EQ(parse_iso8601("2025-11-24T03:18:05.120Z"), at);
  EXPECT_EQ(to_iso8601(utc_time{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(parse_iso8601("2024-02-29T23:59:59.999Z").has_value(), true);
}

TEST(utc_time, refuses_other_forms) {
  for (const char* text : {"", "2025-11-24", "2025-11-24 03:18:05.120Z", "2025-11-24T03:18:05.120+",
                           "2025-13-24T03:18:05.120Z", "2025-02-29T03:18:05.120Z", "2025-11-24T24:18:05.120Z",
                           "2025-11-24T03:60:05.120Z", "2025-11-24T03:18:0x.120Z"}) {
    EXPECT_EQ(parse_iso8601(text), std::nullopt) << text;
  }
}

TEST(new_run_id, is_a_version_4_uuid_and_new) {
  const std::string id = new_run_id();
  EXPECT_THAT(id,
              ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(id, new_run_id());
}

TEST(point_identity, is_of_everything_but_itself) {
  const point_record point = testing::a_point("ess");
  const std::string identity = point_identity(point, "w");
  EXPECT_EQ(identity.size(), 64u);
  EXPECT_NE(identity, point_identity(point, "v"));
  for (auto change : {+[](point_record& p) { p.label = "x"; }, +[](point_record& p) { p.system = "x"; },
                      +[](point_record& p) { p.device = "x"; }, +[](point_record& p) { p.clock = "x"; },
                      +[](point_record& p) { p.requested["batch"] = 7; },
                      +[](point_record& p) { p.effective["batch"] = 8; }}) {
    point_record other = point;
    change(other);
    EXPECT_NE(identity, point_identity(other, "w"));
  }
  point_record same = point;
  same.identity = "x";
  EXPECT_EQ(identity, point_identity(same, "w"));
}

// sha256sum of ["","","","","",null,null]: the identity is the same on every machine.
TEST(point_identity, has_a_known_answer) {
  EXPECT_EQ(point_identity({}, ""), "a6537f77d746f9a00179fdcbb27b1c7f7c475ae97b30de6c167bbe7386a9fd7b");
}

TEST(is_time_unit, knows_times_and_rates) {
  for (const char* unit : {"us", "ms", "s", "ns", "tok/s", "GB/s"}) EXPECT_TRUE(is_time_unit(unit)) << unit;
  for (const char* unit : {"", "B", "B/step", "rows"}) EXPECT_FALSE(is_time_unit(unit)) << unit;
}

TEST(find_metric, looks_into_the_last_measured_attempt) {
  loaded_point point{.point = testing::a_point("ess")};
  EXPECT_EQ(find_metric(point, "hit_rate"), nullptr);
  point.attempts = {testing::an_attempt()};
  ASSERT_NE(find_metric(point, "hit_rate"), nullptr);
  EXPECT_EQ(find_metric(point, "hit_rate")->median, 0.9);
  EXPECT_EQ(find_metric(point, "nothing"), nullptr);
  point.attempts.push_back(testing::an_attempt(0, attempt_status::error));
  EXPECT_EQ(find_metric(point, "hit_rate"), nullptr);
}

}  // namespace
}  // namespace results
