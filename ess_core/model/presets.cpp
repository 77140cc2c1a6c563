#include "ess_core/model/presets.h"

#include <array>

namespace ess {
namespace {

constexpr std::array<std::string_view, 6> names = {"deepseek_v3_2", "deepseek_v3", "mini",
                                                   "mini_moe",      "tiny",        "tiny_moe"};

// Source: DeepSeek-V3.2-Exp, inference/config_671B_v3.2.json; one MTP layer as in DeepSeek-V3.
model_dims deepseek_v3_2() {
  return {.name = "deepseek_v3_2",
          .layers = 61,
          .dense_layers = 3,
          .mtp_layers = 1,
          .hidden = 7168,
          .heads = 128,
          .q_lora = 1536,
          .kv_lora = 512,
          .nope = 128,
          .rope = 64,
          .v = 128,
          .index_heads = 64,
          .index_dim = 128,
          .top_k = 2048,
          .dense_width = 18432,
          .vocabulary = 129280,
          .moe = {.experts = 256,
                  .shared_experts = 1,
                  .top_k = 8,
                  .groups = 8,
                  .top_groups = 4,
                  .width = 2048,
                  .routed_scale = 2.5},
          .rotary = {.theta = 10000.0, .factor = 40.0}};
}

// The same without the indexer: dense attention. Source: DeepSeek-V3, inference/configs/config_671B.json.
model_dims deepseek_v3() {
  model_dims m = deepseek_v3_2();
  m.name = "deepseek_v3";
  m.index_heads = 0;
  m.index_dim = 0;
  m.top_k = 0;
  return m;
}

// Every eighth of the full model's selection at the same row size: top-k / context stays 1/16 at 4,096
// tokens. The feed-forward alone streams 403 MB a step, so a larger batch pays as it does on a GPU.
model_dims mini() {
  return {.name = "mini",
          .layers = 8,
          .dense_layers = 8,
          .mtp_layers = 1,
          .hidden = 1024,
          .heads = 16,
          .q_lora = 384,
          .kv_lora = 512,
          .nope = 64,
          .rope = 64,
          .v = 64,
          .index_heads = 8,
          .index_dim = 128,
          .top_k = 256,
          .dense_width = 4096,
          .vocabulary = 0,
          .moe = {},
          .rotary = {.theta = 10000.0, .factor = 40.0}};
}

// As in the full model the dense layer is as wide as the experts of one token together. 336 MB of weights in
// f32: 141 MB of attention and indexer, 8 MB of the dense layer, 187 MB of experts.
model_dims mini_moe() {
  model_dims m = mini();
  m.name = "mini_moe";
  m.dense_layers = 1;
  m.dense_width = 640;
  m.moe = {.experts = 16,
           .shared_experts = 1,
           .top_k = 4,
           .groups = 4,
           .top_groups = 2,
           .width = 128,
           .routed_scale = 2.5};
  return m;
}

model_dims tiny() {
  return {.name = "tiny",
          .layers = 3,
          .dense_layers = 3,
          .mtp_layers = 1,
          .hidden = 128,
          .heads = 4,
          .q_lora = 64,
          .kv_lora = 512,
          .nope = 32,
          .rope = 64,
          .v = 32,
          .index_heads = 4,
          .index_dim = 128,
          .top_k = 32,
          .dense_width = 256,
          .vocabulary = 0,
          .moe = {},
          .rotary = {.theta = 10000.0, .factor = 40.0}};
}

// Three of the four experts in two of four groups: a choice both of groups and within them.
model_dims tiny_moe() {
  model_dims m = tiny();
  m.name = "tiny_moe";
  m.dense_layers = 1;
  m.moe = {.experts = 8,
           .shared_experts = 1,
           .top_k = 3,
           .groups = 4,
           .top_groups = 2,
           .width = 64,
           .routed_scale = 2.5};
  return m;
}

}  // namespace

std::span<const std::string_view> model_preset_names() { return names; }

std::optional<model_dims> find_model_preset(std::string_view name) {
  if (name == "deepseek_v3_2") return deepseek_v3_2();
  if (name == "deepseek_v3") return deepseek_v3();
  if (name == "mini") return mini();
  if (name == "mini_moe") return mini_moe();
  if (name == "tiny") return tiny();
  if (name == "tiny_moe") return tiny_moe();
  return std::nullopt;
}

}  // namespace ess
