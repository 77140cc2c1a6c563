// A whole small attention layer, from hidden states to its output: once as a float oracle (nothing quantised,
// with and without YaRN), once with quantised caches.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>

#include "ess_core/base/bf16.h"
#include "ess_core/reference/golden/cases.h"
#include "ess_core/reference/golden/layer.h"
#include "ess_core/reference/golden/rows_of.h"
#include "ess_core/reference/indexer.h"
#include "ess_core/reference/linear.h"

namespace ess::golden {
namespace {

// The number that follows a word in what the manifest says about YaRN.
double number_after(const golden_set& set, const std::string& text, const std::string& word) {
  const auto at = text.find(word, text.find("yarn:"));
  const char* first = at == std::string::npos ? "" : text.c_str() + at + word.size();
  char* last = nullptr;
  const double value = std::strtod(first, &last);
  if (last == first) throw set.error(fmt::format("params.rope has no number after \"{}\"", word));
  return value;
}

rope_dims yarn_in(const golden_set& set) {
  const std::string& text = set.text("rope");
  if (number_after(set, text, " mscale ") != 1.0) throw set.error("mscale other than 1 is not supported");
  return {.theta = set.number("theta"),
          .factor = number_after(set, text, " factor "),
          .original_context = static_cast<int>(number_after(set, text, " original ")),
          .beta_fast = number_after(set, text, " beta "),
          .beta_slow = number_after(set, text, "/")};
}

// A query sees itself and all before it.
std::vector<double> float_scores(const query_side& q, const token_caches& caches, std::int64_t token,
                                 int dim) {
  const auto visible = std::span(caches.index_key).first(static_cast<std::size_t>((token + 1) * dim));
  return reference::score_float_keys(q.index_query, q.index_weight, visible).score;
}

attention_result attend_float(const layer& of, const query_side& q, const token_caches& caches,
                              const std::vector<token_id>& ids) {
  const model_dims& dims = of.dims();
  std::vector<float> latents, rotary;
  for (const token_id id : ids) {
    if (id < 0) continue;
    append(latents, row_of(caches.latent, id, dims.kv_lora));
    append(rotary, row_of(caches.k_pe, id, dims.rope));
  }
  const auto part = reference::attend_float_rows(
      q.absorbed, dims.heads, {latents, rotary, {dims.kv_lora, dims.rope}}, dims.softmax_scale());
  return {reference::to_float(part.output), reference::to_float(part.lse)};
}

struct steps_result {
  std::vector<float> q_resid, absorbed, index_query, index_weight, latent_out, lse, head_out, out;
  std::vector<double> scores;
  std::vector<token_id> ids;
};

steps_result run_steps(const layer& of, const token_caches& caches) {
  steps_result all;
  for (std::int64_t token = of.prompt(); token < of.tokens(); ++token) {
    const query_side q = of.query_of(token);
    std::vector<double> scores = float_scores(q, caches, token, of.dims().index_dim);
    const auto ids = reference::select_top_k(scores, of.dims().top_k);
    const attended got = of.finish(attend_float(of, q, caches, ids));
    scores.resize(static_cast<std::size_t>(of.tokens()), -std::numeric_limits<double>::infinity());
    append(all.q_resid, q.q_resid);
    append(all.absorbed, q.absorbed);
    append(all.index_query, q.index_query);
    append(all.index_weight, q.index_weight);
    append(all.latent_out, got.latent_out);
    append(all.lse, got.lse);
    append(all.head_out, got.head_out);
    append(all.out, got.out);
    append(all.scores, scores);
    append(all.ids, ids);
  }
  return all;
}

// What a warm-up would insert: the ids of the last prompt positions.
std::vector<token_id> prompt_ids(const golden_set& set, const std::string& name, const layer& of,
                                 const token_caches& caches) {
  const std::int64_t prompt = of.prompt();
  const std::int64_t windows = set.extent(name, 0);
  if (windows > prompt) throw set.error(fmt::format("{} has more rows than the prompt", name));
  std::vector<token_id> ids;
  for (std::int64_t token = prompt - windows; token < prompt; ++token) {
    const auto scores = float_scores(of.query_of(token), caches, token, of.dims().index_dim);
    append(ids, reference::select_top_k(scores, of.dims().top_k));
  }
  return ids;
}

void check_probes(const golden_set& set, const layer& of, const token_caches& caches, golden_check& check) {
  std::vector<float> latent, k_pe, index_key;
  for (const std::int32_t token : set.ints("probe_token", {any})) {
    if (token < 0 || token >= of.tokens()) throw set.error(fmt::format("no token {} to probe", token));
    append(latent, row_of(caches.latent, token, of.dims().kv_lora));
    append(k_pe, row_of(caches.k_pe, token, of.dims().rope));
    append(index_key, row_of(caches.index_key, token, of.dims().index_dim));
  }
  check.expect("latent", latent);
  check.expect("k_pe", k_pe);
  check.expect("index_key", index_key);
}

void check_stages(const steps_result& got, golden_check& check) {
  check.expect("q_resid", got.q_resid);
  check.expect("q", got.absorbed);
  check.expect("index_query", got.index_query);
  check.expect("index_weight", got.index_weight);
  check.expect("latent_out", got.latent_out);
  check.expect("lse", got.lse);
  check.expect("head_out", got.head_out);
}

void check_results(const golden_set& set, const std::string& suffix, const layer& of,
                   const token_caches& caches, const steps_result& got, golden_check& check) {
  check.expect("score_" + suffix, got.scores);
  check.expect("topk_" + suffix, got.ids);
  check.expect("out_" + suffix, got.out);
  check.expect("prompt_topk_" + suffix, prompt_ids(set, "prompt_topk_" + suffix, of, caches));
}

std::vector<float> rounded_to_bf16(floats values) {
  std::vector<float> result(values.size());
  std::ranges::transform(values, result.begin(), round_to_bf16);
  return result;
}

struct quantised_caches {
  std::vector<std::uint8_t> rows, index_keys;
  std::vector<float> index_scales;
};

quantised_caches quantise(const layer& of, const operations& run, const token_caches& caches) {
  const model_dims& dims = of.dims();
  const latent_row_format format{dims.kv_lora, dims.rope};
  quantised_caches result;
  result.rows.resize(static_cast<std::size_t>(of.tokens() * format.bytes()));
  result.index_keys.resize(static_cast<std::size_t>(of.tokens() * dims.index_dim));
  for (std::int64_t token = 0; token < of.tokens(); ++token) {
    const layer::angles at = of.angles_at(token);
    run.pack_latent_row(rounded_to_bf16(row_of(caches.latent, token, dims.kv_lora)),
                        row_of(caches.k_pe, token, dims.rope), row_of(result.rows, token, format.bytes()));
    result.index_scales.push_back(
        run.encode_index_vector(rounded_to_bf16(row_of(caches.index_key_unrotated, token, dims.index_dim)),
                                at.cos, at.sin, row_of(result.index_keys, token, dims.index_dim)));
  }
  return result;
}

std::vector<token_id> quantised_ids(const layer& of, const operations& run, const query_side& q,
                                    const std::vector<std::uint8_t>& pages, std::int64_t token) {
  const model_dims& dims = of.dims();
  const layer::angles at = of.angles_at(token);
  std::vector<std::uint8_t> codes(q.index_query_unrotated.size());
  std::vector<float> scales;
  for (int head = 0; head < dims.index_heads; ++head) {
    scales.push_back(
        run.encode_index_vector(rounded_to_bf16(row_of(q.index_query_unrotated, head, dims.index_dim)),
                                at.cos, at.sin, row_of(codes, head, dims.index_dim)));
  }
  const auto weights = run.index_weights(q.index_weight_raw, scales, dims.index_dim);
  return run.select_top_k(run.score_keys(codes, weights, pages, token + 1), dims.top_k);
}

// Rows of ids that are equal as sets; both ascending.
std::vector<bool> equal_rows(const std::vector<token_id>& got, std::vector<token_id> want, int width) {
  std::vector<bool> equal;
  for (std::size_t first = 0; first < want.size(); first += width) {
    const auto begin = want.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, begin + width);
    std::vector<token_id> row(got.begin() + static_cast<std::ptrdiff_t>(first),
                              got.begin() + static_cast<std::ptrdiff_t>(first) + width);
    std::ranges::sort(row);
    equal.push_back(std::equal(row.begin(), row.end(), begin));
  }
  return equal;
}

void check_quantised(const golden_set& set, const operations& run, const layer& of,
                     const token_caches& caches, golden_check& check) {
  const model_dims& dims = of.dims();
  const latent_row_format format{dims.kv_lora, dims.rope};
  const quantised_caches quantised = quantise(of, run, caches);
  check.expect_latent_rows("quant_rows", quantised.rows, format);
  check.expect("quant_index_key", quantised.index_keys);
  check.expect("quant_index_scale", quantised.index_scales);
  const std::vector<std::uint8_t> pages = make_pages(quantised.index_keys, quantised.index_scales);
  std::vector<token_id> ids;
  std::vector<float> out;
  for (std::int64_t token = of.prompt(); token < of.tokens(); ++token) {
    const query_side q = of.query_of(token);
    const auto selected = quantised_ids(of, run, q, pages, token);
    const auto part = run.attend(q.absorbed, dims.heads, {quantised.rows, format}, selected,
                                 static_cast<float>(dims.softmax_scale()));
    append(ids, selected);
    append(out, of.finish(part).out);
  }
  check.expect("quant_topk", ids);
  const auto steps = of.tokens() - of.prompt();
  check.expect_rows("quant_out", out,
                    equal_rows(ids, set.ints("quant_topk", {steps, dims.top_k}), dims.top_k));
}

// A sum in f32 may tip the rounding to bf16 of one value, and the Hadamard transform then moves codes near
// zero by more than the set allows, whose own codes come from float64. So quantisation and what follows are
// judged from projections in double; those of `run` are judged by all other arrays.
operations with_exact_projections(operations run) {
  const operations reference = reference_operations();
  run.matrix_vector = reference.matrix_vector;
  run.rms_norm = reference.rms_norm;
  run.layer_norm = reference.layer_norm;
  return run;
}

}  // namespace

void check_dsa_layer(const golden_set& set, const operations& run, golden_check& check) {
  model_dims dims = layer_dims(set);
  dims.rotary = {.theta = set.number("theta")};
  const layer plain(set, run, dims);
  const token_caches caches = plain.cache_all();
  const steps_result got = run_steps(plain, caches);
  check_probes(set, plain, caches, check);
  check_stages(got, check);
  check_results(set, "plain", plain, caches, got, check);
  const operations exact_projections = with_exact_projections(run);
  const layer exact(set, exact_projections, dims);
  check_quantised(set, run, exact, exact.cache_all(), check);

  dims.rotary = yarn_in(set);
  const layer yarn(set, run, dims);
  const token_caches yarn_caches = yarn.cache_all();
  check_results(set, "yarn", yarn, yarn_caches, run_steps(yarn, yarn_caches), check);
}

}  // namespace ess::golden
