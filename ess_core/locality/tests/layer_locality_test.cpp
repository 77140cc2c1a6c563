#include "ess_core/locality/layer_locality.h"

#include <algorithm>

namespace ess {
namespace {

using testing::HasSubstr;

TEST(layer_locality, entrants_are_what_the_overlap_leaves_over) {
  const layer_locality layer{.overlap = 0.6, .scattered = 0.05};
  const entrant_rates rates = rates_of(layer, {}, 1'000);
  EXPECT_DOUBLE_EQ(rates.scattered, 50.0);
  EXPECT_DOUBLE_EQ(rates.neighbours, 1'000 * 0.4 - 1 - 50);
  EXPECT_EQ(rates.positional, 0);
}

TEST(layer_locality, a_position_relative_layer_takes_positions_in_place_of_neighbours) {
  const layer_locality layer{.overlap = 0.1, .scattered = 0.01, .position_relative = true};
  const entrant_rates rates = rates_of(layer, {}, 1'000);
  EXPECT_EQ(rates.positional, 1'000 - 100 - 1 - 10);
  EXPECT_EQ(rates.neighbours, 0.0);
}

TEST(layer_locality, no_more_rows_enter_than_may_leave_in_a_burst) {
  const stream_locality stream{.sinks = 4, .recent = 16, .burst_factor = 4};
  const entrant_rates rates = rates_of({.overlap = 0.0, .scattered = 0.1}, stream, 1'000);
  EXPECT_DOUBLE_EQ(rates.neighbours + 4 * rates.scattered, 1'000 - 20);
}

TEST(layer_locality, the_gap_is_nothing_at_the_cut_and_grows_with_depth) {
  EXPECT_EQ(gap_to_cut(2'048, 2'048, 32'768), 0.0);
  EXPECT_NEAR(gap_to_cut(16'384, 2'048, 32'768), 1.534121, 1e-6);  // the median, from the upper 1/16
  EXPECT_LT(gap_to_cut(6'554, 2'048, 32'768), gap_to_cut(9'831, 2'048, 32'768));
  EXPECT_LT(gap_to_cut(6'554, 2'048, 131'072), gap_to_cut(6'554, 2'048, 32'768));
}

TEST(layer_locality, neighbours_thin_out_with_the_gap) {
  EXPECT_EQ(share_deeper(0.0, 4.0), 1.0);
  EXPECT_NEAR(share_deeper(0.5, 4.0), 0.0930144892, 1e-9);  // exp(-2.375)
  EXPECT_LT(share_deeper(0.5, 5.0), share_deeper(0.5, 4.0));
  EXPECT_LT(share_deeper(40.0, 4.0), 1e-300);
}

TEST(check_locality, names_the_number_that_is_out_of_range) {
  const auto complaint = [](const layer_locality& layer, const stream_locality& stream, std::int32_t top_k) {
    const auto fine = check_locality(layer, stream, top_k);
    return fine ? std::string() : fine.error().what;
  };
  EXPECT_EQ(complaint({}, {}, 2'048), "");
  EXPECT_THAT(complaint({.overlap = 1.1}, {}, 2'048), HasSubstr("overlap is 1.1"));
  EXPECT_THAT(complaint({.overlap = std::numeric_limits<double>::quiet_NaN()}, {}, 2'048),
              HasSubstr("overlap"));
  EXPECT_THAT(complaint({.steepness = 0.0}, {}, 2'048), HasSubstr("steepness is 0"));
  EXPECT_THAT(complaint({.scattered = 0.25}, {}, 2'048),
              HasSubstr("scattered is 0.25, but must be in [0, 0.2476]"));
  EXPECT_THAT(complaint({}, {.sinks = -1}, 2'048), HasSubstr("sinks is -1"));
  EXPECT_THAT(complaint({}, {.recent = 1}, 2'048), HasSubstr("recent is 1"));
  EXPECT_THAT(complaint({}, {}, 20), HasSubstr("top-k is 20"));
  EXPECT_THAT(complaint({}, {.burst_every = 2}, 2'048), HasSubstr("burst_length is 2"));
  EXPECT_THAT(complaint({}, {.burst_factor = 0.5}, 2'048), HasSubstr("burst_factor is 0.5"));
  EXPECT_THAT(complaint({}, {.burst_factor = 17}, 2'048), HasSubstr("burst_factor is 17"));
}

}  // namespace
}  // namespace ess
