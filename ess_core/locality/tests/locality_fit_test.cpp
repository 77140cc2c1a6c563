#include "ess_core/locality/locality_fit.h"

#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/step_overlap.h"
#include "ess_core/locality/synthetic_trace.h"

namespace ess {
namespace {

constexpr std::int32_t top_k = 256;
constexpr token_id context = 4'096;

// What a stream of this layer really does, at the pool sizes asked for.
layer_figures measure(const layer_locality& layer, std::int32_t query_tokens,
                      std::initializer_list<double> ratios) {
  const synthetic_request request{.layers = {layer}, .top_k = top_k, .context = context - 128, .steps = 256};
  const index_trace trace = *synthesize(request);
  const std::int32_t skip = (lead_in_steps(request) + query_tokens - 1) / query_tokens;
  const miss_curve curve = lru_miss_curve(trace, 0, {query_tokens, skip});
  layer_figures out{.overlap = mean_step_overlap(trace, 0, lead_in_steps(request)),
                    .position_relative = layer.position_relative};
  for (const double ratio : ratios) {
    const double rows = ratio * context;
    out.misses.push_back(
        {rows, static_cast<double>(curve.misses(static_cast<std::int64_t>(rows))) / curve.steps});
  }
  return out;
}

TEST(locality_fit, finds_the_parameters_behind_measured_figures) {
  for (const layer_locality& layer :
       {layer_locality{.overlap = 0.4, .scattered = 0.03, .steepness = 3},
        layer_locality{.overlap = 0.6, .scattered = 0.05, .steepness = 2},
        layer_locality{.overlap = 0.75, .scattered = 0.01, .steepness = 5},
        layer_locality{.overlap = 0.2, .scattered = 0.02, .position_relative = true}}) {
    for (const std::int32_t query_tokens : {1, 2}) {
      const layer_figures figures[] = {measure(layer, query_tokens, {0.2, 0.3, 0.4})};
      const layer_locality found = fit_locality(figures, {top_k, context, query_tokens}).value()[0];
      EXPECT_NEAR(found.overlap, layer.overlap, 0.004);
      EXPECT_NEAR(found.scattered, layer.scattered, 0.1 * layer.scattered);
      if (!layer.position_relative) {
        EXPECT_NEAR(found.steepness, layer.steepness, 0.1 * layer.steepness);
      }
      EXPECT_EQ(found.position_relative, layer.position_relative);
    }
  }
}

TEST(locality_fit, layers_without_figures_enough_take_the_median_of_the_others) {
  const auto figures = [](double at_a_fifth, double at_two_fifths) {
    return layer_figures{.overlap = 0.5,
                         .misses = {{0.2 * context, at_a_fifth}, {0.4 * context, at_two_fifths}}};
  };
  std::vector<layer_figures> layers = {figures(20, 8), figures(30, 12), figures(45, 13)};
  const auto three = fit_locality(layers, {top_k, context, 1}).value();
  layers.push_back({.overlap = 0.7, .misses = {{0.4 * context, 10}}});
  layers.push_back({.overlap = 0.8});
  const auto five = fit_locality(layers, {top_k, context, 1}).value();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(five[i], three[i]);
  std::vector<double> steepness = {three[0].steepness, three[1].steepness, three[2].steepness};
  std::ranges::sort(steepness);
  EXPECT_EQ(five[3].steepness, steepness[1]);
  EXPECT_NE(five[3].scattered, three[1].scattered);
  EXPECT_EQ(five[4].steepness, steepness[1]);
  std::vector<double> scattered = {three[0].scattered, three[1].scattered, three[2].scattered};
  std::ranges::sort(scattered);
  EXPECT_EQ(five[4].scattered, scattered[1]);
  EXPECT_EQ(five[4].overlap, 0.8);
}

TEST(locality_fit, without_figures_there_is_no_median) {
  const layer_figures bare[] = {{.overlap = 0.2, .position_relative = true, .misses = {{0.6 * context, 5}}},
                                {.overlap = 0.5}};
  const auto none = fit_locality(bare, {top_k, context, 1});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().what, testing::HasSubstr("layer 1 has too few figures"));
}

}  // namespace
}  // namespace ess
