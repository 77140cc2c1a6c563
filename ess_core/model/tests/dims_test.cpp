#include "ess_core/model/dims.h"

#include "ess_core/model/presets.h"

namespace ess {
namespace {

TEST(model_dims, full_model_has_the_published_sizes) {
  const model_dims m = find_model_preset("deepseek_v3_2").value();
  EXPECT_EQ(m.latent_row_bytes(), byte_count{656});
  EXPECT_EQ(m.index_key_bytes(), byte_count{132});
  EXPECT_NEAR(m.softmax_scale(), 0.1352337788608801, 1e-15);
  // 671 B published, of which 1.85 B are embedding and head.
  EXPECT_NEAR(static_cast<double>(m.parameters()) * 1e-9, 671.0 - 1.85, 1.5);
}

TEST(model_dims, caches_of_a_request_have_the_published_sizes) {
  const model_dims m = find_model_preset("deepseek_v3_2").value();
  const byte_count token = m.layers * (m.latent_row_bytes() + m.index_key_bytes());
  EXPECT_NEAR(static_cast<double>((token * 32768).value) * 1e-9, 1.6, 0.05);
  EXPECT_NEAR(static_cast<double>((token * 131072).value) * 1e-9, 6.3, 0.05);
}

TEST(model_dims, every_preset_keeps_the_row_of_the_full_model) {
  for (const auto name : model_preset_names()) {
    const model_dims m = find_model_preset(name).value();
    EXPECT_EQ(m.name, name);
    EXPECT_EQ(m.latent_row_bytes(), byte_count{656});
    EXPECT_EQ(m.index_key_bytes(), byte_count{m.index_heads > 0 ? 132 : 0}) << name;
  }
  EXPECT_FALSE(find_model_preset("huge").has_value());
}

TEST(model_dims, the_full_model_has_the_published_experts) {
  const model_dims m = find_model_preset("deepseek_v3_2").value();
  EXPECT_FALSE(m.is_moe_layer(2));
  EXPECT_TRUE(m.is_moe_layer(3));
  EXPECT_EQ(m.experts_per_token(), 9);
  // 37 B of 671 B work on a token: attention, three dense layers, nine experts of each other layer, the head.
  std::int64_t active = 0;
  for (int layer = 0; layer < m.layers; ++layer) {
    const std::int64_t expert = 3 * std::int64_t{m.hidden} * m.moe.width;
    active += m.attention_parameters() +
              (m.is_moe_layer(layer) ? m.experts_per_token() * expert : m.feed_forward_parameters(layer));
  }
  EXPECT_NEAR(static_cast<double>(active) * 1e-9, 37.0, 1.5);
}

TEST(model_dims, a_model_cut_to_its_dense_layers_has_no_experts) {
  model_dims m = find_model_preset("deepseek_v3_2").value();
  EXPECT_TRUE(m.has_moe_layers());
  m.layers = 3;
  EXPECT_FALSE(m.has_moe_layers());
}

TEST(moe_dims, a_router_needs_equal_groups_and_enough_experts_in_those_that_stay) {
  for (const auto name : model_preset_names()) {
    EXPECT_EQ(find_model_preset(name).value().moe.fault(), "") << name;
  }
  moe_dims moe = find_model_preset("deepseek_v3_2").value().moe;
  moe.experts = 16;
  EXPECT_EQ(moe.fault(), "");
  moe.experts = 12;
  EXPECT_EQ(moe.fault(), "12 experts do not form 8 equal groups");
  moe.experts = 8;
  EXPECT_EQ(moe.fault(), "the router chooses 8 experts among 4, those of 4 of 8 groups");
}

TEST(model_dims, mini_moe_weighs_about_as_much_as_mini) {
  const model_dims m = find_model_preset("mini_moe").value();
  EXPECT_NEAR(static_cast<double>(m.parameters()) * 4e-6, 336, 1);
}

TEST(model_dims, mini_feed_forward_exceeds_a_core_cache) {
  const model_dims m = find_model_preset("mini").value();
  std::int64_t parameters = 0;
  for (int layer = 0; layer < m.layers; ++layer) parameters += m.feed_forward_parameters(layer);
  EXPECT_GE(parameters * 4, 200'000'000);
  EXPECT_LE(parameters * 4, 405'000'000);
}

}  // namespace
}  // namespace ess
