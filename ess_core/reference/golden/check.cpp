#include "ess_core/reference/golden/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "ess_core/base/bf16.h"
#include "ess_core/reference/golden/compare.h"

namespace ess::golden {
namespace {

template <typename value>
std::vector<std::uint8_t> bytes_of(std::span<const value> values) {
  std::vector<std::uint8_t> bytes(values.size_bytes());
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename to, typename real>
std::vector<std::uint8_t> convert(std::span<const real> values) {
  std::vector<to> converted(values.size());
  std::ranges::transform(values, converted.begin(), [](real value) { return static_cast<to>(value); });
  return bytes_of(std::span<const to>(converted));
}

template <typename real>
std::vector<std::uint8_t> to_bf16(std::span<const real> values) {
  std::vector<std::uint16_t> halves(values.size());
  std::ranges::transform(values, halves.begin(),
                         [](real value) { return float_to_bf16(static_cast<float>(value)); });
  return bytes_of(std::span<const std::uint16_t>(halves));
}

golden_error wrong_type(const golden_array& want, std::string_view got) {
  return golden_error(
      fmt::format("array {} is {}, the case computes {}", want.name, to_string(want.type), got));
}

template <typename real>
std::vector<std::uint8_t> to_type_of(const golden_array& want, std::span<const real> values) {
  switch (want.type) {
    case element_type::f32:
      return convert<float>(values);
    case element_type::f64:
      return convert<double>(values);
    case element_type::bf16:
      return to_bf16(values);
    default:
      throw wrong_type(want, "floats");
  }
}

// position * inverse frequency, of a set with arrays of these names.
std::vector<double> angles_of(const golden_set& set, const golden_array& want) {
  const golden_array& position = set.array("position");
  const golden_array& frequency = set.array("inv_freq");
  if (want.shape != array_shape{position.size(), frequency.size()}) {
    throw set.error(fmt::format("array {} is not [position][inv_freq]", want.name));
  }
  std::vector<double> angles;
  for (const double at : values_of(position.type, position.bytes)) {
    for (const double radians : values_of(frequency.type, frequency.bytes)) angles.push_back(at * radians);
  }
  return angles;
}

yardsticks yardsticks_for(const golden_set& set, const golden_array& want) {
  if (want.allowed && want.allowed->kind == tolerance_kind::angle) return {angles_of(set, want)};
  if (want.allowed && want.allowed->kind == tolerance_kind::rel_to_array) {
    const golden_array& named = set.array(want.allowed->array);
    return {values_of(named.type, named.bytes)};
  }
  return {};
}

// What of a golden array and of the computed one is left when only some rows are used.
std::vector<std::uint8_t> keep_rows(const std::vector<std::uint8_t>& bytes, const std::vector<bool>& use) {
  const std::size_t row = bytes.size() / use.size();
  std::vector<std::uint8_t> kept;
  for (std::size_t i = 0; i < use.size(); ++i) {
    if (!use[i]) continue;
    const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(i * row);
    kept.insert(kept.end(), first, first + static_cast<std::ptrdiff_t>(row));
  }
  return kept;
}

struct code_differences {
  std::int64_t count = 0;
  std::int64_t furthest = 0;

  void add(std::int64_t got, std::int64_t want) {
    if (got != want) ++count;
    furthest = std::max(furthest, std::abs(got - want));
  }
};

// Codes with a sign bit on one line through zero; `bits` without the sign.
std::int64_t on_a_line(std::uint32_t code, int bits) {
  const std::uint32_t magnitude = code & ((1u << bits) - 1);
  return code >> bits & 1u ? -std::int64_t{magnitude} : std::int64_t{magnitude};
}

template <typename word>
word word_at(std::span<const std::uint8_t> bytes, std::int64_t offset) {
  word value{};
  std::memcpy(&value, &bytes[offset], sizeof value);
  return value;
}

void compare_tile(std::span<const std::uint8_t> got, std::span<const std::uint8_t> want,
                  const latent_row_format& format, int tile, code_differences& differences) {
  const int first = tile * latent_tile;
  const int last = std::min(first + latent_tile, format.kv_lora);
  const float got_scale = word_at<float>(got, format.scale_offset() + 4 * tile);
  const float want_scale = word_at<float>(want, format.scale_offset() + 4 * tile);
  if (got_scale == want_scale) {
    for (int i = first; i < last; ++i) differences.add(on_a_line(got[i], 7), on_a_line(want[i], 7));
    return;
  }
  const bool neighbours = got_scale == 2 * want_scale || want_scale == 2 * got_scale;
  differences.count += last - first;
  differences.add(neighbours ? 1 : std::int64_t{1} << 30, 0);
}

void compare_row(std::span<const std::uint8_t> got, std::span<const std::uint8_t> want,
                 const latent_row_format& format, code_differences& differences) {
  for (int tile = 0; tile < format.tiles(); ++tile) compare_tile(got, want, format, tile, differences);
  for (int i = 0; i < format.rope; ++i) {
    const std::int64_t offset = format.rotary_offset() + 2 * i;
    differences.add(on_a_line(word_at<std::uint16_t>(got, offset), 15),
                    on_a_line(word_at<std::uint16_t>(want, offset), 15));
  }
}

}  // namespace

void golden_check::expect(std::string_view array, std::span<const float> got) {
  const golden_array& want = set_.array(array);
  compare_bytes(want, to_type_of(want, got));
}

void golden_check::expect(std::string_view array, std::span<const double> got) {
  const golden_array& want = set_.array(array);
  compare_bytes(want, to_type_of(want, got));
}

void golden_check::expect(std::string_view array, std::span<const std::uint8_t> got) {
  const golden_array& want = set_.array(array);
  if (element_bytes(want.type) != 1) throw wrong_type(want, "bytes");
  compare_bytes(want, bytes_of(got));
}

void golden_check::expect(std::string_view array, std::span<const std::uint16_t> got) {
  const golden_array& want = set_.array(array);
  if (want.type != element_type::bf16) throw wrong_type(want, "bf16");
  compare_bytes(want, bytes_of(got));
}

void golden_check::expect(std::string_view array, std::span<const std::int32_t> got) {
  const golden_array& want = set_.array(array);
  if (want.type != element_type::i32) throw wrong_type(want, "i32");
  compare_bytes(want, bytes_of(got));
}

void golden_check::expect_rows(std::string_view array, std::span<const float> got,
                               const std::vector<bool>& use) {
  const golden_array& want = set_.array(array);
  const auto used = std::ranges::count(use, true);
  if (want.shape[0] != static_cast<std::int64_t>(use.size())) throw set_.error("one flag a row is needed");
  const std::vector<std::uint8_t> got_bytes = to_type_of(want, got);
  if (got_bytes.size() != want.bytes.size()) return compare_bytes(want, got_bytes);
  golden_array kept = want;
  kept.shape[0] = used;
  kept.bytes = keep_rows(want.bytes, use);
  compare_bytes(kept, keep_rows(got_bytes, use));
}

void golden_check::expect_latent_rows(std::string_view array, std::span<const std::uint8_t> got,
                                      const latent_row_format& format) {
  const golden_array& want = set_.array(array);
  if (!want.allowed || want.allowed->kind != tolerance_kind::mostly_exact) return expect(array, got);
  if (want.last_dim() != format.bytes() || want.bytes.size() != got.size()) {
    return record(want, "rows of another size");
  }
  code_differences differences;
  const auto row_bytes = static_cast<std::size_t>(format.bytes());
  for (std::size_t first = 0; first < got.size(); first += row_bytes) {
    compare_row(got.subspan(first, row_bytes), std::span(want.bytes).subspan(first, row_bytes), format,
                differences);
  }
  const double fraction = static_cast<double>(differences.count) / static_cast<double>(want.size());
  const bool agree =
      fraction <= want.allowed->max_fraction && differences.furthest <= want.allowed->max_code_distance;
  record(want,
         agree ? "" : fmt::format("{} codes differ, by up to {}", differences.count, differences.furthest));
}

void golden_check::compare_bytes(const golden_array& want, const std::vector<std::uint8_t>& got) {
  record(want, compare(want, got, yardsticks_for(set_, want)));
}

void golden_check::record(const golden_array& want, const std::string& fault) {
  if (std::ranges::find(report_.compared, want.name) == report_.compared.end()) {
    report_.compared.push_back(want.name);
  }
  if (!fault.empty()) report_.faults.push_back(fmt::format("{}/{}: {}", set_.name(), want.name, fault));
}

set_report golden_check::finish() && {
  report_.set = set_.name();
  for (const golden_array& array : set_.arrays()) {
    const bool known = std::ranges::find(report_.compared, array.name) != report_.compared.end();
    if (array.role != array_role::input && !known) report_.not_compared.push_back(array.name);
  }
  return std::move(report_);
}

}  // namespace ess::golden
