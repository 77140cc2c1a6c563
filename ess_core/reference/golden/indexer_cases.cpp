#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "ess_core/layout/hadamard.h"
#include "ess_core/layout/index_key.h"
#include "ess_core/layout/rope.h"
#include "ess_core/reference/golden/cases.h"
#include "ess_core/reference/golden/rows_of.h"
#include "ess_core/reference/indexer.h"

namespace ess::golden {
namespace {

struct index_vectors {
  std::vector<float> rotated, transformed;
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;
};

// The vectors of a set, keys or queries: [tokens][heads][dim], rotated by the cos and sin of their token.
struct index_inputs {
  std::vector<float> values, cos, sin;
  std::int64_t tokens = 0, heads = 1, dim = 0, pairs = 0;

  [[nodiscard]] std::int64_t count() const { return tokens * heads; }
  [[nodiscard]] floats value(std::int64_t i) const { return row_of(values, i, dim); }
  [[nodiscard]] floats cos_of(std::int64_t i) const { return row_of(cos, i / heads, pairs); }
  [[nodiscard]] floats sin_of(std::int64_t i) const { return row_of(sin, i / heads, pairs); }
};

index_vectors encode_by_stages(const index_inputs& in, const operations& run) {
  index_vectors out{.rotated = in.values, .transformed = {}, .codes = {}, .scales = {}};
  out.codes.resize(in.values.size());
  for (std::int64_t i = 0; i < in.count(); ++i) {
    run.rotate_index_vector(row_of(out.rotated, i, in.dim), in.cos_of(i), in.sin_of(i));
  }
  out.transformed = out.rotated;
  for (std::int64_t i = 0; i < in.count(); ++i) {
    run.transform_index_vector(row_of(out.transformed, i, in.dim));
    out.scales.push_back(
        run.quantise_index_vector(row_of(out.transformed, i, in.dim), row_of(out.codes, i, in.dim)));
  }
  return out;
}

index_vectors encode_at_once(const index_inputs& in, const operations& run) {
  index_vectors out;
  out.codes.resize(in.values.size());
  for (std::int64_t i = 0; i < in.count(); ++i) {
    out.scales.push_back(
        run.encode_index_vector(in.value(i), in.cos_of(i), in.sin_of(i), row_of(out.codes, i, in.dim)));
  }
  return out;
}

// Without rounding to bf16 between the stages.
index_vectors encode_in_single_precision(const index_inputs& in, const operations& run) {
  index_vectors out;
  out.codes.resize(in.values.size());
  for (std::int64_t i = 0; i < in.count(); ++i) {
    std::vector<float> value(in.value(i).begin(), in.value(i).end());
    rotate_half_split(std::span(value).first(2 * in.pairs), in.cos_of(i), in.sin_of(i));
    hadamard_transform(std::span(value));
    out.scales.push_back(run.quantise_index_vector(value, row_of(out.codes, i, in.dim)));
  }
  return out;
}

void check_vectors(const std::string& name, const index_inputs& in, const operations& run,
                   golden_check& check) {
  const index_vectors staged = encode_by_stages(in, run);
  check.expect(name + "_rope", staged.rotated);
  check.expect(name + "_hadamard", staged.transformed);
  for (const index_vectors& way : {staged, encode_at_once(in, run)}) {
    check.expect(name + "_e4m3", way.codes);
    check.expect(name + "_scale", way.scales);
  }
  const index_vectors unrounded = encode_in_single_precision(in, run);
  check.expect(name + "_e4m3_f32path", unrounded.codes);
  check.expect(name + "_scale_f32path", unrounded.scales);
}

struct score_inputs {
  explicit score_inputs(const golden_set& set)
      : queries(set.extent("query_e4m3", 0)),
        heads(set.extent("query_e4m3", 1)),
        dim(set.extent("query_e4m3", 2)),
        keys(set.extent("key_e4m3", 0)),
        query(set.bytes("query_e4m3", {queries, heads, dim})),
        weight(set.floats("weight", {queries, heads})),
        pages(make_pages(set.bytes("key_e4m3", {keys, dim}), set.floats("key_scale", {keys}))),
        length(set.ints("length", {queries})) {
    for (const std::int32_t visible : length) {
      if (visible < 0 || visible > keys) throw set.error("a length is beyond the keys");
    }
  }

  std::int64_t queries, heads, dim, keys;
  std::vector<std::uint8_t> query;
  std::vector<float> weight;
  std::vector<std::uint8_t> pages;
  std::vector<std::int32_t> length;
};

// Beyond a query's length scores are -inf, and their magnitudes zero.
template <typename real>
void append_padded(std::vector<real>& to, std::vector<real> values, std::int64_t keys, real padding) {
  values.resize(static_cast<std::size_t>(keys), padding);
  append(to, values);
}

template <typename real>
constexpr real masked = -std::numeric_limits<real>::infinity();

void check_reference_scores(const score_inputs& in, golden_check& check) {
  std::vector<double> scores, magnitudes;
  for (std::int64_t i = 0; i < in.queries; ++i) {
    reference::index_scores visible = reference::score_paged_keys(
        row_of(in.query, i, in.heads * in.dim), row_of(in.weight, i, in.heads), in.pages, in.length[i]);
    append_padded(scores, std::move(visible.score), in.keys, masked<double>);
    append_padded(magnitudes, std::move(visible.magnitude), in.keys, 0.0);
  }
  check.expect("scores_f64", scores);
  check.expect("magnitude", magnitudes);
}

std::vector<std::vector<float>> score_visible_keys(const score_inputs& in, const operations& run) {
  std::vector<std::vector<float>> scores;
  for (std::int64_t i = 0; i < in.queries; ++i) {
    scores.push_back(run.score_keys(row_of(in.query, i, in.heads * in.dim), row_of(in.weight, i, in.heads),
                                    in.pages, in.length[i]));
  }
  return scores;
}

bool is_top_k(const golden_array& array) { return array.name.starts_with("topk"); }

}  // namespace

std::vector<std::uint8_t> make_pages(const std::vector<std::uint8_t>& codes,
                                     const std::vector<float>& scales) {
  const auto tokens = static_cast<std::int64_t>(scales.size());
  const auto dim = static_cast<std::int64_t>(codes.size()) / tokens;
  const index_page_format format{static_cast<int>(dim)};
  std::vector<std::uint8_t> pages(static_cast<std::size_t>(format.bytes_for(tokens)));
  for (std::int64_t token = 0; token < tokens; ++token) {
    pack_index_key(row_of(codes, token, dim), scales[token], token, pages);
  }
  return pages;
}

void check_index_key(const golden_set& set, const operations& run, golden_check& check) {
  const auto tokens = set.extent("key", 0), dim = set.extent("key", 1), pairs = set.extent("key_cos", 1);
  const auto queries = set.extent("query", 0), heads = set.extent("query", 1);
  if (2 * pairs > dim) throw set.error("more pairs than the vectors have");
  const index_inputs keys{set.floats("key", {tokens, dim}),
                          set.floats("key_cos", {tokens, pairs}),
                          set.floats("key_sin", {tokens, pairs}),
                          tokens,
                          1,
                          dim,
                          pairs};
  const index_inputs query{set.floats("query", {queries, heads, dim}),
                           set.floats("query_cos", {queries, pairs}),
                           set.floats("query_sin", {queries, pairs}),
                           queries,
                           heads,
                           dim,
                           pairs};
  check_vectors("key", keys, run, check);
  check_vectors("query", query, run, check);
  check.expect("page", make_pages(set.bytes("key_e4m3", {tokens, dim}), set.floats("key_scale", {tokens})));
  const auto raw = set.floats("weight_raw", {queries, heads}),
             scale = set.floats("query_scale", {queries, heads});
  std::vector<float> weights;
  for (std::int64_t i = 0; i < queries; ++i) {
    append(weights, run.index_weights(row_of(raw, i, heads), row_of(scale, i, heads), static_cast<int>(dim)));
  }
  check.expect("weight", weights);
}

void check_indexer_scores(const golden_set& set, const operations& run, golden_check& check) {
  const score_inputs in(set);
  check_reference_scores(in, check);
  const auto scores = score_visible_keys(in, run);
  std::vector<float> all;
  for (const auto& of_query : scores) append_padded(all, of_query, in.keys, masked<float>);
  check.expect("scores", all);
  check.expect("scores_f64", all);
  for (const golden_array& array : set.arrays()) {
    if (!is_top_k(array)) continue;
    std::vector<std::int32_t> ids;
    for (const auto& of_query : scores)
      append(ids, run.select_top_k(of_query, static_cast<int>(array.last_dim())));
    check.expect(array.name, ids);
  }
}

}  // namespace ess::golden
