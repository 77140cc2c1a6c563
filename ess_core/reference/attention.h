// Double-precision reference of absorbed latent attention: query, attention over selected rows, merge,
// values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ess_core/base/units.h"
#include "ess_core/layout/latent_row.h"

namespace ess::reference {

// Per head: the nope part through the key half of the latent up-projection, then the rotary part, rotated in
// pairs (2i, 2i+1). query: [heads][nope + rope]; key_up: [heads][nope][kv_lora]; rope = 2 * size of cos.
// Returns [heads][kv_lora + rope].
[[nodiscard]] std::vector<double> absorbed_query(std::span<const float> query, std::span<const float> key_up,
                                                 int heads, std::span<const float> cos,
                                                 std::span<const float> sin);

// The new rotary key of a token, rotated likewise.
[[nodiscard]] std::vector<double> rotated_key(std::span<const float> rotary, std::span<const float> cos,
                                              std::span<const float> sin);

// output: [heads][kv_lora], normalised by its own lse; lse: [heads], natural logarithm of the sum of the
// exponentials of the scaled logits. Without any valid row: zeros and +inf.
struct attention_part {
  std::vector<double> output;
  std::vector<double> lse;
};

// Rows that are not packed. query: [heads][kv_lora + rope]; latents: [rows][kv_lora]; rotary: [rows][rope].
struct float_rows {
  std::span<const float> latents;
  std::span<const float> rotary;
  latent_row_format format = {};
};
[[nodiscard]] attention_part attend_float_rows(std::span<const float> query, int heads,
                                               const float_rows& rows, double softmax_scale);

// Packed rows, `pitch` bytes apart.
struct packed_rows {
  std::span<const std::uint8_t> bytes;
  latent_row_format format = {};
  std::int64_t pitch = format.bytes();
};
// selected: row numbers in any order; negative ones are not valid and do not count.
[[nodiscard]] attention_part attend_packed_rows(std::span<const float> query, int heads,
                                                const packed_rows& rows,
                                                std::span<const std::int32_t> selected, double softmax_scale);

// What a device left of one part: output [heads][kv_lora] and lse [heads].
struct attention_part_view {
  std::span<const float> output;
  std::span<const float> lse;
};
// lse = log(exp(lse0) + exp(lse1)), output = sum of output_i * exp(lse_i - lse), where a part with lse +inf
// has weight 0. Both empty: zeros and +inf.
[[nodiscard]] attention_part merge_parts(const attention_part_view& first, const attention_part_view& second);

// latent: [heads][kv_lora]; value_up: [heads][v][kv_lora]. Returns [heads][v].
[[nodiscard]] std::vector<double> value_up_projection(std::span<const float> latent,
                                                      std::span<const float> value_up, int heads);

}  // namespace ess::reference
