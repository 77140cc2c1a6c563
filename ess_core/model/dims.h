// The dimensions of a DeepSeek-V3.2-like model and everything that follows from them by arithmetic.
// Source of the shapes and constants: DeepSeek-V3.2-Exp, inference/config_671B_v3.2.json and model.py.
#pragma once

#include <cstdint>
#include <string>

#include "ess_core/base/units.h"

namespace ess {

// Mixture of experts; experts == 0 means that every layer is dense.
struct moe_dims {
  int experts = 0;  // routed
  int shared_experts = 0;
  int top_k = 0;
  int groups = 1;  // the router first picks `top_groups` of `groups`
  int top_groups = 1;
  int width = 0;              // of one expert; the shared ones are one feed-forward, so many times as wide
  double routed_scale = 1.0;  // what the weights of a token's routed experts sum to

  friend bool operator==(const moe_dims&, const moe_dims&) = default;

  // Why a router cannot choose so; empty if it can.
  [[nodiscard]] std::string fault() const;
};

// Routed experts [first, end).
struct expert_range {
  int first = 0;
  int end = 0;
  [[nodiscard]] int count() const { return end - first; }
  friend bool operator==(expert_range, expert_range) = default;
};
// What one of `ranks` holds: as many each, or one more.
[[nodiscard]] expert_range experts_of(const moe_dims& moe, int rank, int ranks);
// Copies of a token that may go to one of `ranks`, at most: a token's experts differ.
[[nodiscard]] int most_copies_to_a_rank(const moe_dims& moe, int ranks);

// One routed expert of a token.
struct expert_choice {
  std::int32_t expert = 0;
  float weight = 0;

  friend bool operator==(const expert_choice&, const expert_choice&) = default;
};

// Rotary embedding with YaRN. factor == 1 switches YaRN off.
struct rope_dims {
  double theta = 10000.0;
  double factor = 1.0;
  int original_context = 4096;
  double beta_fast = 32.0;
  double beta_slow = 1.0;

  friend bool operator==(const rope_dims&, const rope_dims&) = default;
};

// What values weights have; norms and biases are f32.
enum class weight_values : std::uint8_t {
  bf16,
  e4m3,  // times a power of two, one a matrix
};

struct model_dims {
  std::string name;
  int layers = 0;
  int dense_layers = 0;  // the first ones; the rest are mixture of experts if moe.experts > 0
  int mtp_layers = 0;    // draft layers that the model has beside them
  int draft_layers = 0;  // of `layers`, the last ones that are such draft layers (with_draft_layers)
  int hidden = 0;
  int heads = 0;
  int q_lora = 0;
  int kv_lora = 512;    // the latent
  int nope = 0;         // per head, not rotated
  int rope = 64;        // per head, rotated; shared by all heads on the key side
  int v = 0;            // per head
  int index_heads = 0;  // 0: no indexer; attention reads the whole context
  int index_dim = 128;
  int top_k = 0;
  int dense_width = 0;  // of the gated feed-forward
  int vocabulary = 0;
  moe_dims moe;
  rope_dims rotary;
  weight_values weights = weight_values::bf16;
  // Layers of a kind repeat the weights of the first so many, which spares set-up and no memory; 0: each has
  // its own.
  int distinct_layers = 0;

  friend bool operator==(const model_dims&, const model_dims&) = default;

  [[nodiscard]] int query_dim() const { return nope + rope; }        // per head, before absorption
  [[nodiscard]] int absorbed_dim() const { return kv_lora + rope; }  // per head, after it
  [[nodiscard]] double softmax_scale() const;                        // (nope+rope)^-0.5 x YaRN's mscale^2
  [[nodiscard]] bool is_moe_layer(int layer) const { return moe.experts > 0 && layer >= dense_layers; }
  [[nodiscard]] bool is_draft_layer(int layer) const { return layer >= layers - draft_layers; }
  [[nodiscard]] bool has_moe_layers() const { return is_moe_layer(layers - 1); }
  // Feed-forwards that a token passes in a mixture-of-experts layer: its routed ones, and the shared one.
  [[nodiscard]] int experts_per_token() const { return moe.top_k + (moe.shared_experts > 0 ? 1 : 0); }
  // The layer that has the same weights.
  [[nodiscard]] int weights_layer(int layer) const;
  [[nodiscard]] int bytes_per_weight() const { return weights == weight_values::e4m3 ? 1 : 2; }
  [[nodiscard]] int shared_width() const { return moe.shared_experts * moe.width; }

  // One packed latent: kv_lora e4m3, one f32 scale per 128 of them, rope bf16. 656 for 512 + 64.
  [[nodiscard]] byte_count latent_row_bytes() const;
  // One indexer key: index_dim e4m3 and one f32 scale. 132 for 128; 0 without an indexer.
  [[nodiscard]] byte_count index_key_bytes() const;
  // Parameters of attention and indexer of one layer, and of its feed-forward (router and all experts). Norms
  // and biases, a few thousand values, are not counted.
  [[nodiscard]] std::int64_t attention_parameters() const;
  [[nodiscard]] std::int64_t feed_forward_parameters(int layer) const;
  [[nodiscard]] std::int64_t parameters() const;  // all `layers`; no embedding or head
  // The same of one of `ranks` that spread the routed experts over themselves: of one that has most.
  [[nodiscard]] std::int64_t parameters_of_a_rank(int ranks) const;
};

// Weights of one of `expert_ranks` GPUs that serve the model: fp8; attention, shared experts, embedding and
// head on every GPU, routed experts spread over all. Embedding, head and the absorbed projections are bf16.
[[nodiscard]] byte_count served_weight_bytes(const model_dims& model, int expert_ranks);

// The model that decodes several tokens a step (MTP): its draft layers run behind the others and keep caches
// as they do. An input projection from the hidden state and the next token's embedding goes before each.
[[nodiscard]] model_dims with_draft_layers(model_dims model);

}  // namespace ess
