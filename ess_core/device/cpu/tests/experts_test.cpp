// The operations of a mixture of experts on the device, against double and against themselves.
#include "ess_core/reference/experts.h"

#include <cmath>

#include "baselines/systems.h"
#include "ess_core/base/random.h"
#include "ess_core/device/cpu/cpu_device.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/model/presets.h"
#include "ess_core/model/weights.h"
#include "ess_core/reference/linear.h"

namespace ess {
namespace {

constexpr std::uint64_t seed = 5;
constexpr std::int32_t layer = 1;  // behind the dense one

model_dims tiny_moe() { return find_model_preset("tiny_moe").value(); }

std::vector<float> random_hidden(const model_dims& m, std::int32_t lanes) {
  std::vector<float> out(static_cast<std::size_t>(lanes) * static_cast<std::size_t>(m.hidden));
  counter_rng(1, purpose::microbenchmark).fill_unit_variance(out, 0);
  return out;
}

// Hidden states after the mixture of experts of `slices`.
std::vector<float> run(const model_dims& m, std::vector<float> hidden, int threads,
                       const std::vector<batch_slice>& slices) {
  const auto seats = static_cast<std::int32_t>(hidden.size()) / m.hidden;
  const auto device = make_cpu_device({.compute_threads = threads});
  device->allocate(make_layout({.model = m, .final_tokens = 64}, *make_system("all_gpu", {}), seats, seats),
                   seed);
  device->write(buffer_id::hidden, 0, std::as_bytes(std::span(hidden)));
  program_builder b(m, {.seats = seats}, m.layers);
  for (const op_kind kind : {op_kind::route, op_kind::dispatch, op_kind::experts, op_kind::combine}) {
    for (const batch_slice slice : slices) b.add({.kind = kind, .layer = layer, .slice = slice});
  }
  device->run(std::move(b).finish());
  device->read(buffer_id::hidden, 0, std::as_writable_bytes(std::span(hidden)));
  return hidden;
}

std::vector<float> run(const model_dims& m, const std::vector<float>& hidden, int threads = 1) {
  return run(m, hidden, threads, {{0, static_cast<std::int32_t>(hidden.size()) / m.hidden}});
}

std::vector<double> feed_forward(const model_dims& m, std::int32_t expert, const std::vector<float>& x) {
  const bool shared = expert == m.moe.experts;
  const auto gate_up = shared ? make_weights(m, seed, layer, weight_kind::shared_gate_up)
                              : make_weights(m, seed, layer, weight_kind::expert_gate_up, expert);
  const auto down = shared ? make_weights(m, seed, layer, weight_kind::shared_down)
                           : make_weights(m, seed, layer, weight_kind::expert_down, expert);
  const std::size_t half = gate_up.size() / 2;
  return reference::gated_feed_forward(std::span(gate_up).first(half), std::span(gate_up).subspan(half), down,
                                       x);
}

// What the layer adds to one hidden state.
std::vector<double> reference_addition(const model_dims& m, std::span<const float> hidden) {
  const std::vector<float> x = reference::to_float(
      reference::rms_norm(hidden, std::vector<float>(static_cast<std::size_t>(m.hidden), 1.0f)));
  const auto scores =
      reference::to_float(reference::router_scores(make_weights(m, seed, layer, weight_kind::router), x));
  std::vector<double> weights;
  std::vector<std::vector<double>> outputs;
  for (const auto& chosen :
       reference::choose_experts(scores, make_weights(m, seed, layer, weight_kind::router_bias), m.moe)) {
    weights.push_back(chosen.weight);
    outputs.push_back(feed_forward(m, chosen.expert, x));
  }
  if (m.moe.shared_experts > 0) {
    weights.push_back(1);
    outputs.push_back(feed_forward(m, m.moe.experts, x));
  }
  return reference::combine(weights, outputs);
}

void expect_reference(const model_dims& m) {
  constexpr std::int32_t lanes = 12;
  const std::vector<float> before = random_hidden(m, lanes);
  const std::vector<float> after = run(m, before);
  const auto width = static_cast<std::size_t>(m.hidden);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const auto added = reference_addition(m, std::span(before).subspan(lane * width, width));
    for (std::size_t i = 0; i < width; ++i) {
      ASSERT_NEAR(after[lane * width + i] - before[lane * width + i], added[i], 2e-6)
          << "lane " << lane << ", " << i;
    }
  }
}

TEST(experts, equal_the_reference) { expect_reference(tiny_moe()); }

TEST(experts, of_other_shapes_equal_the_reference) {
  model_dims m = tiny_moe();
  m.moe.shared_experts = 0;
  expect_reference(m);
  m.moe.shared_experts = 3;  // one feed-forward of three times the width
  m.moe.width = 200;         // no whole panel
  expect_reference(m);
}

TEST(experts, a_lane_is_the_same_in_every_batch) {
  const model_dims m = tiny_moe();
  const auto width = static_cast<std::ptrdiff_t>(m.hidden);
  const std::vector<float> hidden = random_hidden(m, 64);
  std::vector<float> alone;
  for (std::ptrdiff_t lane = 0; lane < 64; ++lane) {
    const auto one = run(m, {hidden.begin() + lane * width, hidden.begin() + (lane + 1) * width});
    alone.insert(alone.end(), one.begin(), one.end());
  }
  for (std::ptrdiff_t lanes = 1; lanes <= 64; ++lanes) {
    ASSERT_EQ(run(m, {hidden.begin(), hidden.begin() + lanes * width}),
              std::vector<float>(alone.begin(), alone.begin() + lanes * width))
        << lanes << " lanes";
  }
}

TEST(experts, do_not_depend_on_threads) {
  const model_dims m = tiny_moe();
  const std::vector<float> hidden = random_hidden(m, 33);
  const std::vector<float> one = run(m, hidden);
  for (const int threads : {2, 3, 5}) EXPECT_EQ(run(m, hidden, threads), one) << threads << " threads";
}

// As two-batch overlap has them: every operation of both before the next of either.
TEST(experts, of_interleaved_micro_batches_do_not_disturb_each_other) {
  const model_dims m = tiny_moe();
  const std::vector<float> hidden = random_hidden(m, 11);
  EXPECT_EQ(run(m, hidden, 2, {{0, 4}, {4, 7}}), run(m, hidden));
}

}  // namespace
}  // namespace ess
