#include <fmt/format.h>

#include <algorithm>

#include "ess_core/base/bf16.h"
#include "ess_core/layout/rope.h"
#include "ess_core/layout/scale.h"
#include "ess_core/model/presets.h"
#include "ess_core/reference/golden/cases.h"
#include "ess_core/reference/golden/rows_of.h"

namespace ess::golden {
namespace {

template <typename code, typename encoder>
std::vector<code> encode_all(const std::vector<float>& values, const encoder& encode) {
  std::vector<code> codes(values.size());
  std::ranges::transform(values, codes.begin(), encode);
  return codes;
}

latent_row_format row_format(const golden_set& set) {
  const auto tile = static_cast<int>(set.integer("tile"));
  if (tile != latent_tile) throw set.error(fmt::format("tiles of {} values are not supported", tile));
  const int kv_lora = tile * static_cast<int>(set.integer("tiles"));
  const latent_row_format format{kv_lora, static_cast<int>(set.extent("latent", 1)) - kv_lora};
  if (format.rope < 0 || format.bytes() != set.integer("row_bytes")) {
    throw set.error("params.row_bytes does not fit the tiles and the shape of latent");
  }
  return format;
}

struct row_cases {
  const golden_set& set;
  const operations& run;
  latent_row_format format = row_format(set);
  std::int64_t rows = set.extent("latent", 0);
  std::int64_t width = std::int64_t{format.kv_lora} + format.rope;
  std::vector<float> values = set.floats("latent", {rows, width});

  [[nodiscard]] std::vector<std::uint8_t> packed() const {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(rows * format.bytes()));
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto value = row_of(values, row, width);
      run.pack_latent_row(value.first(format.kv_lora), value.subspan(format.kv_lora),
                          row_of(bytes, row, format.bytes()));
    }
    return bytes;
  }

  [[nodiscard]] std::vector<float> unpacked(const std::vector<std::uint8_t>& bytes) const {
    const auto count = static_cast<std::int64_t>(bytes.size()) / format.bytes();
    std::vector<float> result(static_cast<std::size_t>(count * width));
    for (std::int64_t row = 0; row < count; ++row) {
      const auto value = row_of(result, row, width);
      run.unpack_latent_row(row_of(bytes, row, format.bytes()), value.first(format.kv_lora),
                            value.subspan(format.kv_lora));
    }
    return result;
  }

  // `packed` with the scales that the indexer's rule gives.
  [[nodiscard]] std::vector<std::uint8_t> packed_with_floor_on_amax(
      const std::vector<std::int32_t>& chosen) const {
    const std::vector<std::uint8_t> all = packed();
    std::vector<std::uint8_t> bytes;
    for (const std::int32_t row : chosen) {
      if (row < 0 || row >= rows) throw set.error(fmt::format("no row {}", row));
      append(bytes, row_of(all, row, format.bytes()));
      requantise(row_of(values, row, width), std::span(bytes).last(format.bytes()));
    }
    return bytes;
  }

  void requantise(floats value, std::span<std::uint8_t> row) const {
    for (int tile = 0; tile < format.tiles(); ++tile) {
      const float scale = quantise_group(row_of(value, tile, latent_tile), index_smallest_exponent,
                                         row_of(row, tile, latent_tile));
      std::ranges::copy(std::as_bytes(std::span(&scale, 1)),
                        std::as_writable_bytes(row.subspan(format.scale_offset() + 4 * tile, 4)).begin());
    }
  }
};

rope_dims yarn_of(const golden_set& set) {
  if (set.number("cos_sin_factor") != 1.0) throw set.error("cos_sin_factor other than 1 is not supported");
  return {.theta = set.number("theta"),
          .factor = set.number("factor"),
          .original_context = static_cast<int>(set.integer("original")),
          .beta_fast = set.number("beta_fast"),
          .beta_slow = set.number("beta_slow")};
}

}  // namespace

void check_number_formats(const golden_set& set, const operations& run, golden_check& check) {
  std::vector<float> decoded(static_cast<std::size_t>(set.extent("e4m3_decode", 0)));
  for (std::size_t code = 0; code < decoded.size(); ++code) {
    decoded[code] = run.e4m3_to_float(static_cast<std::uint8_t>(code));
  }
  check.expect("e4m3_decode", decoded);
  check.expect("e4m3_encode_out",
               encode_all<std::uint8_t>(set.floats("e4m3_encode_in", {any}), run.float_to_e4m3));
  check.expect("e4m3_saturate_out",
               encode_all<std::uint8_t>(set.floats("e4m3_saturate_in", {any}), run.float_to_e4m3));
  check.expect("bf16_encode_out",
               encode_all<std::uint16_t>(set.floats("bf16_encode_in", {any}), run.float_to_bf16));
}

void check_latent_row(const golden_set& set, const operations& run, golden_check& check) {
  const row_cases cases{set, run};
  const std::int64_t row_bytes = cases.format.bytes();
  check.expect("packed", cases.packed());
  check.expect("dequant", cases.unpacked(set.bytes("packed", {any, row_bytes})));
  check.expect("packed_amax_floor", cases.packed_with_floor_on_amax(set.ints("amax_floor_row", {any})));
  check.expect("dequant_any_scale", cases.unpacked(set.bytes("packed_any_scale", {any, row_bytes})));
}

void check_yarn(const golden_set& set, const operations& run, golden_check& check) {
  model_dims model = *find_model_preset("deepseek_v3_2");
  model.rotary = yarn_of(set);
  const auto rope = static_cast<int>(set.integer("rope_dim"));
  const std::vector<double> frequencies = run.inverse_frequencies(model.rotary, rope);
  check.expect("inv_freq", frequencies);
  check.expect("inv_freq_ref", frequencies);
  check.expect("inv_freq_no_yarn", run.inverse_frequencies({.theta = model.rotary.theta}, rope));
  check.expect("softmax_scale", std::vector<double>{model.softmax_scale()});
  std::vector<double> cos, sin, cos_of(frequencies.size()), sin_of(frequencies.size());
  for (const std::int32_t position : set.ints("position", {any})) {
    rope_cos_sin(frequencies, position, cos_of, sin_of);
    append(cos, cos_of);
    append(sin, sin_of);
  }
  for (const auto name : {"cos", "cos_ref", "cos_ref2"}) check.expect(name, cos);
  for (const auto name : {"sin", "sin_ref", "sin_ref2"}) check.expect(name, sin);
}

}  // namespace ess::golden
