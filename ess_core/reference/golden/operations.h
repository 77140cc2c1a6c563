// The operations that golden cases exercise. The reference fills in all of them; whoever has kernels of their
// own starts from that and replaces what they have, so that cases which need more than one operation still
// run.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ess_core/base/units.h"
#include "ess_core/model/dims.h"
#include "ess_core/reference/attention.h"

namespace ess::golden {

using floats = std::span<const float>;

struct attention_result {
  std::vector<float> output;  // [heads][kv_lora]
  std::vector<float> lse;     // [heads]
};

struct operations {
  std::string name;

  // Number formats.
  std::function<float(std::uint8_t)> e4m3_to_float;
  std::function<std::uint8_t(float)> float_to_e4m3;
  std::function<std::uint16_t(float)> float_to_bf16;

  // Latent rows: ess_core/layout/latent_row.h.
  std::function<void(floats latent, floats rotary, std::span<std::uint8_t> row)> pack_latent_row;
  std::function<void(std::span<const std::uint8_t> row, std::span<float> latent, std::span<float> rotary)>
      unpack_latent_row;

  // Rotation: ess_core/layout/rope.h. values: [rope], in place.
  std::function<std::vector<double>(const rope_dims&, int rope)> inverse_frequencies;
  std::function<void(std::span<float> values, floats cos, floats sin)> rotate_interleaved;

  // Index vectors: the stages one by one (in place, rounded to bf16), and all in one; both of the last return
  // the scale.
  std::function<void(std::span<float> values, floats cos, floats sin)> rotate_index_vector;
  std::function<void(std::span<float> values)> transform_index_vector;
  std::function<float(floats values, std::span<std::uint8_t> codes)> quantise_index_vector;
  std::function<float(floats values, floats cos, floats sin, std::span<std::uint8_t> codes)>
      encode_index_vector;
  // Head weights with the query's scales folded in.
  std::function<std::vector<float>(floats raw, floats query_scale, int index_dim)> index_weights;

  // query: [heads][dim] e4m3; pages: the first `tokens` keys of a page array. One score a token.
  std::function<std::vector<float>(std::span<const std::uint8_t> query, floats weight,
                                   std::span<const std::uint8_t> pages, std::int64_t tokens)>
      score_keys;
  std::function<std::vector<token_id>(floats scores, int k)> select_top_k;

  // query: [heads][kv_lora + rope].
  std::function<attention_result(floats query, int heads, const reference::packed_rows& rows,
                                 std::span<const std::int32_t> selected, float softmax_scale)>
      attend;
  std::function<attention_result(const reference::attention_part_view&,
                                 const reference::attention_part_view&)>
      merge;

  // Dense parts, as in ess_core/reference/linear.h and attention.h.
  std::function<std::vector<float>(floats weights, floats x)> matrix_vector;
  std::function<std::vector<float>(floats x, floats weight, double epsilon)> rms_norm;
  std::function<std::vector<float>(floats x, floats weight, floats bias, double epsilon)> layer_norm;
  std::function<std::vector<float>(floats query, floats key_up, int heads, floats cos, floats sin)>
      absorbed_query;
  std::function<std::vector<float>(floats latent, floats value_up, int heads)> value_up_projection;
};

[[nodiscard]] operations reference_operations();

}  // namespace ess::golden
