#include "ess_core/model/weights.h"

#include <cmath>

#include "ess_core/base/bf16.h"
#include "ess_core/model/presets.h"

namespace ess {
namespace {

model_dims tiny() { return find_model_preset("tiny").value(); }

TEST(weights, shapes_add_up_to_the_parameters_of_a_layer) {
  for (const auto name : model_preset_names()) {
    const model_dims m = find_model_preset(name).value();
    for (const int layer : {0, m.layers - 1}) {
      std::int64_t sum = 0;
      for (int k = 0; k < weight_kind_count; ++k) {
        const auto kind = static_cast<weight_kind>(k);
        if (kind == weight_kind::index_k_norm || kind == weight_kind::router_bias) continue;
        sum += matrices_of(m, layer, kind) * shape_of(m, kind).size();
      }
      EXPECT_EQ(sum, m.attention_parameters() + m.feed_forward_parameters(layer)) << name;
    }
  }
}

TEST(weights, of_experts_differ_and_do_not_depend_on_how_many_there_are) {
  model_dims m = find_model_preset("tiny_moe").value();
  const auto second = make_weights(m, 1, 1, weight_kind::expert_down, 1);
  EXPECT_NE(second, make_weights(m, 1, 1, weight_kind::expert_down, 0));
  m.moe.experts = 4;
  EXPECT_EQ(second, make_weights(m, 1, 1, weight_kind::expert_down, 1));
}

TEST(weights, depend_on_seed_layer_and_kind) {
  const auto base = make_weights(tiny(), 1, 0, weight_kind::q_b);
  EXPECT_EQ(base, make_weights(tiny(), 1, 0, weight_kind::q_b));
  EXPECT_NE(base, make_weights(tiny(), 2, 0, weight_kind::q_b));
  EXPECT_NE(base, make_weights(tiny(), 1, 1, weight_kind::q_b));
}

TEST(weights, preserve_the_variance_of_their_input) {
  const model_dims m = tiny();
  for (const weight_kind kind :
       {weight_kind::q_a, weight_kind::q_b, weight_kind::kv_a, weight_kind::index_k}) {
    const auto w = make_weights(m, 3, 1, kind);
    double squares = 0;
    for (const float x : w) squares += static_cast<double>(x) * x;
    EXPECT_NEAR(squares / static_cast<double>(shape_of(m, kind).rows), 1.0, 0.1);
  }
}

TEST(weights, of_k_up_absorb_a_query_transposed_by_head) {
  const model_dims m = tiny();
  const auto stored = make_weights(m, 3, 1, weight_kind::k_up);
  const auto absorbing = make_absorbing_k_up(m, 3, 1);
  ASSERT_EQ(absorbing.size(), stored.size());
  for (int head = 0; head < m.heads; ++head) {
    for (int n = 0; n < m.nope; ++n) {
      for (int l = 0; l < m.kv_lora; ++l) {
        ASSERT_EQ(absorbing[static_cast<std::size_t>((head * m.kv_lora + l) * m.nope + n)],
                  stored[static_cast<std::size_t>((head * m.nope + n) * m.kv_lora + l)]);
      }
    }
  }
}

TEST(weights, of_matrices_are_bf16_values) {
  const model_dims m = with_draft_layers(find_model_preset("tiny_moe").value());
  for (int layer = 0; layer < m.layers; ++layer) {
    for (int k = 0; k < weight_kind_count; ++k) {
      const auto kind = static_cast<weight_kind>(k);
      if (kind == weight_kind::index_k_norm || kind == weight_kind::router_bias) continue;
      if (matrices_of(m, layer, kind) == 0) continue;
      for (const float w : make_weights(m, 3, layer, kind)) ASSERT_EQ(w, round_to_bf16(w));
    }
  }
}

TEST(query_mix, amplitudes_are_those_of_unit_variance) {
  const model_dims m = find_model_preset("mini").value();
  for (int layer = 0; layer < m.layers; ++layer) {
    double squares = 0;
    for (const float a : mix_of_layer(layer).amplitude) squares += static_cast<double>(a) * a;
    EXPECT_NEAR(squares, 1.0, 1e-5);
  }
}

}  // namespace
}  // namespace ess
