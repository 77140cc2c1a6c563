#include "workloads/locality_check.h"

#include <cmath>

#include "ess_core/locality/pool_replay.h"
#include "ess_core/locality/step_overlap.h"
#include "ess_core/locality/synthetic_trace.h"

namespace workloads {
namespace {

const std::string two_layers = R"({
  "name": "small", "source": "a test", "layers": 2, "top_k": 256, "query_tokens": 1,
  "figures": [
    {"use": "fit", "context_tokens": 4096, "similarity": [0.5, 0.7]},
    {"use": "fit", "context_tokens": 4096, "sparse_ratio": 0.2, "misses": [20, 10]},
    {"use": "fit", "context_tokens": 4096, "sparse_ratio": 0.4, "misses": [8, null]},
    {"use": "check", "context_tokens": 4096, "sparse_ratio": 0.5, "mean_misses": 5},
    {"use": "check", "context_tokens": 8192, "sparse_ratio": 0.2, "mean_misses": 9}]
})";

measured_locality flat(std::int32_t first_layer, std::int32_t layers, double context) {
  return {.first_layer = first_layer,
          .layers = layers,
          .context_tokens = context,
          .overlap = [](std::int32_t) { return 0.5; },
          .misses = [](std::int32_t layer, double ratio) { return 10.0 * (layer + 1) + ratio; }};
}

TEST(compare_figures, sets_layers_beside_the_published_ones) {
  const auto model = *parse_locality(two_layers, "m.json");
  const auto found = compare_figures(model, flat(0, 2, 4'200));
  ASSERT_EQ(found.size(), 4u);
  EXPECT_NEAR(found[0].mean_deviation(), -0.1, 1e-12);
  EXPECT_EQ(found[0].layers_within(), 1);
  EXPECT_NEAR(found[1].measured_mean, 15.2, 1e-12);
  EXPECT_EQ(found[1].published_mean, 15);
  EXPECT_EQ(found[1].layers_within(), 0);
  EXPECT_NEAR(found[2].mean_deviation(), 10.4 / 8 - 1, 1e-12);  // the layer that was published
  EXPECT_EQ(found[2].layers_published(), 1);
  EXPECT_EQ(found[3].published_mean, 5);
  EXPECT_NEAR(found[3].measured_mean, 15.5, 1e-12);
}

TEST(compare_figures, leaves_out_what_the_trace_does_not_hold) {
  const auto model = *parse_locality(two_layers, "m.json");
  const auto second = compare_figures(model, flat(1, 1, 4'096));
  ASSERT_EQ(second.size(), 2u);  // no mean of all layers, nothing readable of layer 1 at ratio 0.4
  EXPECT_EQ(second[1].published[0], 10);
  EXPECT_EQ(compare_figures(model, flat(0, 2, 8'192)).size(), 1u);
  EXPECT_TRUE(compare_figures(model, flat(0, 2, 6'000)).empty());
}

TEST(compare_figures, agreement_asks_for_the_mean_and_for_most_layers) {
  const auto model = *parse_locality(two_layers, "m.json");
  measured_locality measured = flat(0, 2, 4'096);
  const auto second_figure = [&](double first, double second) {
    measured.misses = [=](std::int32_t layer, double) { return layer == 0 ? first : second; };
    return agrees(compare_figures(model, measured)[1]);
  };
  EXPECT_TRUE(second_figure(20, 10));
  EXPECT_TRUE(second_figure(22, 10));
  EXPECT_FALSE(second_figure(22.5, 10));    // the mean is 8.3 % off
  EXPECT_FALSE(second_figure(18.4, 11.6));  // the mean is right, one layer of two is not
}

measured_locality measure(const ess::index_trace& trace, std::int32_t lead_in,
                          const ess::replay_options& options) {
  return {.layers = trace.shape.layers,
          .context_tokens = static_cast<double>(trace.shape.final_tokens()),
          .overlap = [&trace,
                      lead_in](std::int32_t layer) { return ess::mean_step_overlap(trace, layer, lead_in); },
          .misses =
              [&trace, options](std::int32_t layer, double ratio) {
                const ess::miss_curve curve = ess::lru_miss_curve(trace, layer, options);
                const auto rows = static_cast<std::int64_t>(
                    std::ceil(ratio * static_cast<double>(trace.shape.final_tokens())));
                return static_cast<double>(ess::lru_misses(curve, trace, layer, rows, options).value()) /
                       curve.steps;
              }};
}

std::vector<figure_comparison> compare_shipped(const locality_model& model, ess::token_id context,
                                               std::int32_t steps) {
  const ess::synthetic_request request{.stream = model.stream,
                                       .layers = model.layers,
                                       .top_k = model.top_k,
                                       .context = context,
                                       .steps = steps};
  const ess::index_trace trace = *ess::synthesize(request);
  const std::int32_t lead_in = ess::lead_in_steps(request);
  const ess::replay_options options{.query_tokens = model.query_tokens,
                                    .skip_steps = (lead_in + model.query_tokens - 1) / model.query_tokens};
  return compare_figures(model, measure(trace, lead_in, options));
}

// With fewer steps than docs/locality.md, which says how to measure it in full.
TEST(shipped_locality, agrees_with_the_published_figures) {
  const auto model = *load_locality(find_locality("deepseek_v3_2").value());
  int fitted = 0;
  for (const figure_comparison& c : compare_shipped(model, 32'768, 64)) {
    if (c.figure->use != figure_use::fit) continue;
    ++fitted;
    EXPECT_TRUE(agrees(c)) << "mean " << c.mean_deviation() << ", layers " << c.layers_within();
  }
  EXPECT_EQ(fitted, 4);
}

// What the fit has not seen, at the other context.
TEST(shipped_locality, extrapolates_over_the_context) {
  const auto model = *load_locality(find_locality("deepseek_v3_2").value());
  const auto found = compare_shipped(model, 131'072, 32);
  ASSERT_EQ(found.size(), 3u);
  for (const figure_comparison& c : found) {
    const double most = c.figure->is_overlap() ? tolerance.overlap : tolerance.mean_misses;
    EXPECT_LE(std::abs(c.mean_deviation()), most) << c.figure->sparse_ratio.value_or(0);
  }
}

}  // namespace
}  // namespace workloads
