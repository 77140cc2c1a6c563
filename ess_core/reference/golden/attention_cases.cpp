#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ess_core/reference/golden/cases.h"
#include "ess_core/reference/golden/rows_of.h"

namespace ess::golden {
namespace {

struct attention_inputs {
  explicit attention_inputs(const golden_set& set)
      : queries(set.extent("q", 0)),
        heads(set.extent("q", 1)),
        width(set.extent("q", 2)),
        format{static_cast<int>(set.integer("d_v")), static_cast<int>(width - set.integer("d_v"))},
        softmax_scale(static_cast<float>(set.number("softmax_scale_f32"))),
        query(set.floats("q", {queries, heads, width})),
        rows(set.bytes("rows", {any, format.bytes()})),
        columns(set.extent("index", 1)),
        index(set.ints("index", {queries, columns})) {
    const std::int64_t row_count = set.extent("rows", 0);
    for (const std::int32_t row : index) {
      if (row < -1 || row >= row_count) throw set.error(fmt::format("index {} is beyond the rows", row));
    }
  }

  std::int64_t queries, heads, width;
  latent_row_format format;
  float softmax_scale;
  std::vector<float> query;
  std::vector<std::uint8_t> rows;
  std::int64_t columns;
  std::vector<std::int32_t> index;
};

// Every query over the columns [first, last) of its indices.
attention_result attend_columns(const attention_inputs& in, const operations& run, std::int64_t first,
                                std::int64_t last) {
  attention_result all;
  for (std::int64_t i = 0; i < in.queries; ++i) {
    const auto selected = row_of(in.index, i, in.columns).subspan(first, last - first);
    const attention_result one =
        run.attend(row_of(in.query, i, in.heads * in.width), static_cast<int>(in.heads), {in.rows, in.format},
                   selected, in.softmax_scale);
    append(all.output, one.output);
    append(all.lse, one.lse);
  }
  return all;
}

// Of every n-th head, where the array has one of n.
std::vector<float> every_nth_head(const attention_inputs& in, const std::vector<float>& output,
                                  std::int64_t heads_kept) {
  const std::int64_t step = in.heads / heads_kept;
  std::vector<float> kept;
  for (std::int64_t row = 0; row < in.queries * in.heads; ++row) {
    if (row % in.heads % step == 0) append(kept, row_of(output, row, in.format.kv_lora));
  }
  return kept;
}

template <typename function>
std::vector<double> sum_per_head(const attention_inputs& in, const std::vector<float>& output, function of) {
  std::vector<double> sums;
  for (std::int64_t row = 0; row < in.queries * in.heads; ++row) {
    const auto values = row_of(output, row, in.format.kv_lora);
    sums.push_back(std::transform_reduce(values.begin(), values.end(), 0.0, std::plus<>(), of));
  }
  return sums;
}

attention_result merge_all(const attention_inputs& in, const operations& run, const attention_result& first,
                           const attention_result& second) {
  attention_result merged;
  const std::int64_t values = in.heads * in.format.kv_lora;
  for (std::int64_t i = 0; i < in.queries; ++i) {
    const attention_result one =
        run.merge({row_of(first.output, i, values), row_of(first.lse, i, in.heads)},
                  {row_of(second.output, i, values), row_of(second.lse, i, in.heads)});
    append(merged.output, one.output);
    append(merged.lse, one.lse);
  }
  return merged;
}

}  // namespace

// Sets of many heads ship the output of some of them and sums over each.
void check_sparse_attention(const golden_set& set, const operations& run, golden_check& check) {
  const attention_inputs in(set);
  const attention_result got = attend_columns(in, run, 0, in.columns);
  check.expect("lse", got.lse);
  for (const golden_array& array : set.arrays()) {
    if (array.name == "out") check.expect(array.name, got.output);
    if (array.name.starts_with("out_every_")) {
      const std::int64_t kept = set.extent(array.name, 1);
      if (in.heads % kept != 0) throw set.error(fmt::format("{} does not divide the heads", array.name));
      check.expect(array.name, every_nth_head(in, got.output, kept));
    }
    if (array.name == "out_sum") {
      check.expect(array.name, sum_per_head(in, got.output, [](double value) { return value; }));
    }
    if (array.name == "out_sumsq") {
      check.expect(array.name, sum_per_head(in, got.output, [](double value) { return value * value; }));
    }
  }
}

void check_sparse_attention_split(const golden_set& set, const operations& run, golden_check& check) {
  const attention_inputs in(set);
  const std::int64_t cut = set.integer("cut");
  if (cut > in.columns) throw set.error("params.cut is beyond the columns");
  const attention_result first = attend_columns(in, run, 0, cut);
  const attention_result second = attend_columns(in, run, cut, in.columns);
  check.expect("part0_out", first.output);
  check.expect("part0_lse", first.lse);
  check.expect("part1_out", second.output);
  check.expect("part1_lse", second.lse);
  for (const attention_result& whole :
       {merge_all(in, run, first, second), attend_columns(in, run, 0, in.columns)}) {
    check.expect("out", whole.output);
    check.expect("lse", whole.lse);
  }
}

}  // namespace ess::golden
