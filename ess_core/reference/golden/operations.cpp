#include "ess_core/reference/golden/operations.h"

#include <algorithm>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/layout/index_key.h"
#include "ess_core/layout/latent_row.h"
#include "ess_core/layout/rope.h"
#include "ess_core/reference/indexer.h"
#include "ess_core/reference/linear.h"

namespace ess::golden {
namespace {

using reference::to_float;

attention_result rounded(const reference::attention_part& part) {
  return {.output = to_float(part.output), .lse = to_float(part.lse)};
}

void copy_to(const std::vector<float>& from, std::span<float> to) { std::ranges::copy(from, to.begin()); }

void add_codecs(operations& table) {
  table.e4m3_to_float = ess::e4m3_to_float;
  table.float_to_e4m3 = ess::float_to_e4m3;
  table.float_to_bf16 = ess::float_to_bf16;
  table.pack_latent_row = ess::pack_latent_row;
  table.unpack_latent_row = ess::unpack_latent_row;
  table.inverse_frequencies = rope_inverse_frequencies;
  table.rotate_interleaved = [](std::span<float> values, floats cos, floats sin) {
    copy_to(to_float(reference::rotated_key(values, cos, sin)), values);
  };
}

void add_indexer(operations& table) {
  table.rotate_index_vector = [](std::span<float> values, floats cos, floats sin) {
    copy_to(reference::rotated_index_vector(values, cos, sin), values);
  };
  table.transform_index_vector = [](std::span<float> values) {
    copy_to(reference::transformed_index_vector(values), values);
  };
  table.quantise_index_vector = ess::quantise_index_vector;
  table.encode_index_vector = [](floats values, floats cos, floats sin, std::span<std::uint8_t> codes) {
    const reference::index_vector encoded = reference::encode_index_vector(values, cos, sin);
    std::ranges::copy(encoded.codes, codes.begin());
    return encoded.scale;
  };
  table.index_weights = [](floats raw, floats query_scale, int index_dim) {
    return to_float(reference::folded_index_weights(raw, query_scale, index_dim));
  };
  table.score_keys = [](std::span<const std::uint8_t> query, floats weight,
                        std::span<const std::uint8_t> pages, std::int64_t tokens) {
    return to_float(reference::score_paged_keys(query, weight, pages, tokens).score);
  };
  table.select_top_k = [](floats scores, int k) { return reference::select_top_k(scores, k); };
}

void add_attention(operations& table) {
  table.attend = [](floats query, int heads, const reference::packed_rows& rows,
                    std::span<const std::int32_t> selected, float softmax_scale) {
    return rounded(reference::attend_packed_rows(query, heads, rows, selected, softmax_scale));
  };
  table.merge = [](const reference::attention_part_view& first,
                   const reference::attention_part_view& second) {
    return rounded(reference::merge_parts(first, second));
  };
  table.absorbed_query = [](floats query, floats key_up, int heads, floats cos, floats sin) {
    return to_float(reference::absorbed_query(query, key_up, heads, cos, sin));
  };
  table.value_up_projection = [](floats latent, floats value_up, int heads) {
    return to_float(reference::value_up_projection(latent, value_up, heads));
  };
}

void add_dense(operations& table) {
  table.matrix_vector = [](floats weights, floats x) {
    return to_float(reference::matrix_vector(weights, x));
  };
  table.rms_norm = [](floats x, floats weight, double epsilon) {
    return to_float(reference::rms_norm(x, weight, epsilon));
  };
  table.layer_norm = [](floats x, floats weight, floats bias, double epsilon) {
    return to_float(reference::layer_norm(x, weight, bias, epsilon));
  };
}

}  // namespace

operations reference_operations() {
  operations table;
  table.name = "reference";
  add_codecs(table);
  add_indexer(table);
  add_attention(table);
  add_dense(table);
  return table;
}

}  // namespace ess::golden
