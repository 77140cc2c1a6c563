#include "ess_core/reference/golden/layer.h"

#include <utility>

#include "ess_core/layout/rope.h"
#include "ess_core/reference/golden/rows_of.h"

namespace ess::golden {
namespace {

// Half-split, without any rounding to bf16.
std::vector<float> rotated(floats values, const layer::angles& at) {
  std::vector<float> result(values.begin(), values.end());
  rotate_half_split(std::span(result).first(2 * at.cos.size()), at.cos, at.sin);
  return result;
}

}  // namespace

model_dims layer_dims(const golden_set& set) {
  const auto count = [&](const char* name) { return static_cast<int>(set.integer(name)); };
  model_dims dims;
  dims.name = "golden";
  dims.hidden = count("hidden");
  dims.heads = count("heads");
  dims.q_lora = count("q_lora");
  dims.kv_lora = count("kv_lora");
  dims.nope = count("nope");
  dims.v = count("v");
  dims.index_heads = count("index_heads");
  dims.index_dim = count("index_dim");
  dims.top_k = count("topk");
  dims.rope = static_cast<int>(set.extent("w_kv_a_proj", 0)) - dims.kv_lora;
  if (dims.rope <= 0 || dims.rope % 2 != 0 || dims.rope > dims.index_dim) {
    throw set.error("w_kv_a_proj has no sensible rotary part");
  }
  return dims;
}

layer_weights::layer_weights(const golden_set& set, const model_dims& d)
    : q_a(set.floats("w_q_a_proj", {d.q_lora, d.hidden})),
      q_a_norm(set.floats("w_q_a_norm", {d.q_lora})),
      q_b(set.floats("w_q_b_proj", {d.heads * d.query_dim(), d.q_lora})),
      kv_a(set.floats("w_kv_a_proj", {d.absorbed_dim(), d.hidden})),
      kv_a_norm(set.floats("w_kv_a_norm", {d.kv_lora})),
      out(set.floats("w_o_proj", {d.hidden, d.heads * d.v})),
      index_query(set.floats("w_index_wq_b", {d.index_heads * d.index_dim, d.q_lora})),
      index_key(set.floats("w_index_wk", {d.index_dim, d.hidden})),
      index_norm(set.floats("w_index_k_norm_weight", {d.index_dim})),
      index_bias(set.floats("w_index_k_norm_bias", {d.index_dim})),
      index_weight(set.floats("w_index_weights_proj", {d.index_heads, d.hidden})) {
  const auto kv_b = set.floats("w_kv_b_proj", {d.heads * (d.nope + d.v), d.kv_lora});
  const auto key_values = static_cast<std::size_t>(d.nope) * d.kv_lora;
  for (int head = 0; head < d.heads; ++head) {  // per head: nope rows, then v rows
    const auto of_head = row_of(kv_b, head, std::int64_t{d.nope + d.v} * d.kv_lora);
    append(key_up, of_head.first(key_values));
    append(value_up, of_head.subspan(key_values));
  }
}

layer::layer(const golden_set& set, const operations& run, model_dims dims)
    : run_(run),
      dims_(std::move(dims)),
      weights_(set, dims_),
      rms_epsilon_(set.number("rms_eps")),
      norm_epsilon_(set.number("layernorm_eps")),
      prompt_(set.integer("prompt")),
      tokens_(prompt_ + set.integer("steps")),
      hidden_(set.floats("hidden", {tokens_, dims_.hidden})),
      frequencies_(run.inverse_frequencies(dims_.rotary, dims_.rope)) {}

floats layer::hidden(std::int64_t token) const { return row_of(hidden_, token, dims_.hidden); }

layer::angles layer::angles_at(std::int64_t token) const {
  angles at{.cos = std::vector<float>(frequencies_.size()), .sin = std::vector<float>(frequencies_.size())};
  rope_cos_sin(frequencies_, static_cast<token_id>(token), at.cos, at.sin);
  return at;
}

token_caches layer::cache_all() const {
  token_caches caches;
  for (std::int64_t token = 0; token < tokens_; ++token) {
    const angles at = angles_at(token);
    add_attention_key(token, at, caches);
    add_index_key(token, at, caches);
  }
  return caches;
}

void layer::add_attention_key(std::int64_t token, const angles& at, token_caches& caches) const {
  const std::vector<float> both = run_.matrix_vector(weights_.kv_a, hidden(token));
  append(caches.latent,
         run_.rms_norm(std::span(both).first(dims_.kv_lora), weights_.kv_a_norm, rms_epsilon_));
  append(caches.k_pe, std::span(both).subspan(dims_.kv_lora));
  run_.rotate_interleaved(std::span(caches.k_pe).last(dims_.rope), at.cos, at.sin);
}

void layer::add_index_key(std::int64_t token, const angles& at, token_caches& caches) const {
  const std::vector<float> key = run_.layer_norm(run_.matrix_vector(weights_.index_key, hidden(token)),
                                                 weights_.index_norm, weights_.index_bias, norm_epsilon_);
  append(caches.index_key_unrotated, key);
  append(caches.index_key, rotated(key, at));
}

query_side layer::query_of(std::int64_t token) const {
  const angles at = angles_at(token);
  query_side q;
  q.q_resid = run_.rms_norm(run_.matrix_vector(weights_.q_a, hidden(token)), weights_.q_a_norm, rms_epsilon_);
  q.absorbed = run_.absorbed_query(run_.matrix_vector(weights_.q_b, q.q_resid), weights_.key_up, dims_.heads,
                                   at.cos, at.sin);
  q.index_query_unrotated = run_.matrix_vector(weights_.index_query, q.q_resid);
  for (int head = 0; head < dims_.index_heads; ++head) {
    append(q.index_query, rotated(row_of(q.index_query_unrotated, head, dims_.index_dim), at));
  }
  const std::vector<float> no_scale(static_cast<std::size_t>(dims_.index_heads), 1.0f);
  q.index_weight_raw = run_.matrix_vector(weights_.index_weight, hidden(token));
  q.index_weight = run_.index_weights(q.index_weight_raw, no_scale, dims_.index_dim);
  return q;
}

attended layer::finish(const attention_result& part) const {
  attended result{.latent_out = part.output, .lse = part.lse, .head_out = {}, .out = {}};
  result.head_out = run_.value_up_projection(part.output, weights_.value_up, dims_.heads);
  result.out = run_.matrix_vector(weights_.out, result.head_out);
  return result;
}

}  // namespace ess::golden
