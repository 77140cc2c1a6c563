#include "ess_core/locality/synthetic_trace.h"

#include "ess_core/locality/tests/scratch_folder.h"
#include "ess_core/locality/trace_file.h"

namespace ess {
namespace {

using testing::HasSubstr;

synthetic_request three_layers() {
  return {.layers = {{.overlap = 0.55, .scattered = 0.03, .steepness = 3.3},
                     {.overlap = 0.05, .scattered = 0.01, .position_relative = true},
                     {.overlap = 0.8, .scattered = 0.02, .steepness = 5}},
          .top_k = 192,
          .context = 2'000,
          .steps = 300};
}

// The stream is a contract: these bytes must come out on every machine.
TEST(synthetic_trace, has_the_same_bytes_everywhere) {
  const scratch_folder folder;
  EXPECT_EQ(write_trace(*synthesize(three_layers()), folder / "t").value(),
            "1f4236f2daac5c4f63befb756c3c1bb0a0c7ef6baf2ef862c56f7a6bc8555693");
}

TEST(synthetic_trace, depends_on_the_seed_and_on_nothing_else) {
  synthetic_request request = three_layers();
  const index_trace trace = *synthesize(request);
  EXPECT_EQ(synthesize(request)->ids, trace.ids);
  request.seed = 2;
  EXPECT_NE(synthesize(request)->ids, trace.ids);
}

TEST(synthetic_trace, of_fewer_steps_is_the_beginning_of_a_longer_one) {
  synthetic_request request = three_layers();
  const index_trace trace = *synthesize(request);
  request.steps = 100;
  const index_trace shorter = *synthesize(request);
  EXPECT_TRUE(std::equal(shorter.ids.begin(), shorter.ids.end(), trace.ids.begin()));
}

TEST(synthetic_trace, of_some_layers_is_that_of_all_without_the_others) {
  synthetic_request request = three_layers();
  const index_trace all = *synthesize(request);
  request.layers.erase(request.layers.begin());
  request.first_layer = 1;
  const index_trace some = *synthesize(request);
  for (std::int32_t step = 0; step < all.shape.steps; ++step) {
    ASSERT_TRUE(std::ranges::equal(some.selected(step, 0), all.selected(step, 1)));
    ASSERT_TRUE(std::ranges::equal(some.selected(step, 1), all.selected(step, 2)));
  }
}

TEST(synthetic_trace, without_lead_in_goes_on_where_the_other_does_after_it) {
  synthetic_request request = three_layers();
  const index_trace warm = *synthesize(request);
  request.start = lead_in::none;
  const index_trace cold = *synthesize(request);
  EXPECT_EQ(cold.shape.first_token, 2'000);
  EXPECT_EQ(warm.shape.first_token, 2'000 - lead_in_steps(three_layers()));
  EXPECT_TRUE(std::equal(cold.ids.rbegin(), cold.ids.rend(), warm.ids.rbegin()));
}

TEST(synthetic_trace, says_what_cannot_be_made) {
  const auto complaint = [](auto change) {
    synthetic_request request = three_layers();
    request.first_layer = 10;
    change(request);
    const auto trace = synthesize(request);
    return trace ? std::string() : trace.error().what;
  };
  EXPECT_EQ(complaint([](auto&) {}), "");
  EXPECT_THAT(complaint([](auto& r) { r.layers[2].overlap = -1; }), HasSubstr("layer 12: overlap is -1"));
  EXPECT_THAT(complaint([](auto& r) { r.top_k = 0; }), HasSubstr("top-k is 0"));
  EXPECT_THAT(complaint([](auto& r) { r.steps = 0; }), HasSubstr("0 steps"));
  EXPECT_THAT(complaint([](auto& r) { r.context = 1; }), HasSubstr("the context is 1 tokens"));
  EXPECT_THAT(complaint([](auto& r) { r.layers.clear(); }), HasSubstr("0 layers"));
  EXPECT_THAT(complaint([](auto& r) { r.top_k = 1 << 20, r.context = 1 << 30; }),
              HasSubstr("more than 2^38"));
  EXPECT_THAT(complaint([](auto& r) { r.top_k = 64, r.context = 2'147'483'647; }), HasSubstr("do not fit"));
}

}  // namespace
}  // namespace ess
