#include "ess_core/reference/golden/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>

namespace ess::golden {
namespace {

// Of two elements, by index; true if the computed one is acceptable.
using element_test = std::function<bool(std::size_t)>;

array_shape place_of(const array_shape& shape, std::int64_t index) {
  array_shape place(shape.size());
  for (std::size_t dim = shape.size(); dim-- > 0;) {
    place[dim] = index % shape[dim];
    index /= shape[dim];
  }
  return place;
}

struct pair_of_values {
  std::vector<double> got;
  std::vector<double> want;
};

std::string count_failures(const golden_array& want, const pair_of_values& values,
                           const element_test& agrees) {
  std::size_t failures = 0;
  std::size_t first = 0;
  for (std::size_t i = values.want.size(); i-- > 0;) {
    if (agrees(i)) continue;
    ++failures;
    first = i;
  }
  if (failures == 0) return {};
  return fmt::format("{} of {} elements differ ({}), first at {}: got {}, want {}", failures,
                     values.want.size(), to_string(want.allowed->kind),
                     place_of(want.shape, static_cast<std::int64_t>(first)), values.got[first],
                     values.want[first]);
}

bool same(double got, double want) {
  if (std::isnan(want)) return std::isnan(got);
  return got == want && std::signbit(got) == std::signbit(want);
}

// Infinities must be equal; a NaN where a number is wanted is never near.
bool near(double got, double want, double allowed) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want) || std::isinf(got)) return got == want;
  return std::fabs(got - want) <= allowed;
}

// e4m3 codes on one line through zero, so that neighbours are one apart.
std::int64_t code_of(element_type type, std::uint8_t byte) {
  if (type != element_type::e4m3) return byte;
  const std::int64_t magnitude = byte & 0x7f;
  return byte & 0x80 ? -magnitude : magnitude;
}

std::string compare_codes(const golden_array& want, const std::vector<std::uint8_t>& got) {
  if (element_bytes(want.type) != 1)
    throw golden_error(fmt::format("array {}: mostly_exact needs bytes", want.name));
  std::int64_t differing = 0;
  std::int64_t furthest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] != want.bytes[i]) ++differing;
    furthest = std::max(furthest, std::abs(code_of(want.type, got[i]) - code_of(want.type, want.bytes[i])));
  }
  const double fraction = static_cast<double>(differing) / static_cast<double>(want.size());
  if (fraction <= want.allowed->max_fraction && furthest <= want.allowed->max_code_distance) return {};
  return fmt::format("{} of {} codes differ (allowed {}), by up to {} (allowed {})", differing, want.size(),
                     want.allowed->max_fraction, furthest, want.allowed->max_code_distance);
}

// The ids of one row without padding, sorted.
std::vector<double> ids_of(std::span<const double> row) {
  std::vector<double> ids(row.begin(), row.end());
  std::erase(ids, -1.0);
  std::ranges::sort(ids);
  return ids;
}

bool row_agrees(const tolerance& allowed, const std::vector<double>& got, const std::vector<double>& want) {
  if (allowed.kind == tolerance_kind::set) return got == want;
  std::vector<double> common;
  std::ranges::set_intersection(got, want, std::back_inserter(common));
  return static_cast<std::int64_t>(common.size()) >= allowed.min_common;
}

std::string compare_rows(const golden_array& want, const pair_of_values& values) {
  const auto width = static_cast<std::size_t>(want.last_dim());
  for (std::size_t first = 0; first < values.want.size(); first += width) {
    const auto got_ids = ids_of(std::span(values.got).subspan(first, width));
    const auto want_ids = ids_of(std::span(values.want).subspan(first, width));
    if (!row_agrees(*want.allowed, got_ids, want_ids)) {
      return fmt::format("row {} ({}): got {}, want {}", first / width, to_string(want.allowed->kind),
                         got_ids, want_ids);
    }
  }
  return {};
}

// How far each element may be off, for the kinds that compare numbers one by one.
double allowed_at(const golden_array& want, double value, std::size_t index, const yardsticks& by) {
  const tolerance& allowed = *want.allowed;
  switch (allowed.kind) {
    case tolerance_kind::abs_rel:
      return allowed.abs + allowed.rel * std::fabs(value);
    case tolerance_kind::rel_to_array:
      return allowed.rel * by.array[index];
    default:  // angle; one taken in f64 has no error of its own
      return want.type == element_type::f64 ? allowed.abs
                                            : allowed.abs + allowed.per_radian * std::fabs(by.array[index]);
  }
}

bool needs_yardstick(tolerance_kind kind) {
  return kind == tolerance_kind::rel_to_array || kind == tolerance_kind::angle;
}

}  // namespace

std::string compare(const golden_array& want, const std::vector<std::uint8_t>& got, const yardsticks& by) {
  if (!want.allowed) throw golden_error(fmt::format("array {} is not for comparison", want.name));
  if (got.size() != want.bytes.size()) {
    return fmt::format("got {} bytes, want {}", got.size(), want.bytes.size());
  }
  const tolerance_kind kind = want.allowed->kind;
  if (kind == tolerance_kind::mostly_exact) return compare_codes(want, got);
  const pair_of_values values{values_of(want.type, got), values_of(want.type, want.bytes)};
  if (kind == tolerance_kind::set || kind == tolerance_kind::set_overlap) return compare_rows(want, values);
  if (kind == tolerance_kind::exact) {
    return count_failures(want, values, [&](std::size_t i) { return same(values.got[i], values.want[i]); });
  }
  if (needs_yardstick(kind) && by.array.size() != values.want.size()) {
    throw golden_error(fmt::format("array {}: its yardstick has another size", want.name));
  }
  return count_failures(want, values, [&](std::size_t i) {
    return near(values.got[i], values.want[i], allowed_at(want, values.want[i], i, by));
  });
}

}  // namespace ess::golden
