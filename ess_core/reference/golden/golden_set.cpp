#include "ess_core/reference/golden/golden_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <numeric>

#include "ess_core/base/bf16.h"
#include "ess_core/base/e4m3.h"
#include "ess_core/reference/golden/manifest.h"

namespace ess::golden {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are used as they lie in the file");

template <typename value>
struct named {
  value what;
  std::string_view name;
};

constexpr std::array element_types = {
    named<element_type>{element_type::f32, "f32"},   named<element_type>{element_type::f64, "f64"},
    named<element_type>{element_type::i32, "i32"},   named<element_type>{element_type::u8, "u8"},
    named<element_type>{element_type::bf16, "bf16"}, named<element_type>{element_type::e4m3, "e4m3"}};

constexpr std::array array_roles = {named<array_role>{array_role::input, "input"},
                                    named<array_role>{array_role::stage, "stage"},
                                    named<array_role>{array_role::output, "output"}};

constexpr std::array tolerance_kinds = {named<tolerance_kind>{tolerance_kind::exact, "exact"},
                                        named<tolerance_kind>{tolerance_kind::abs_rel, "abs_rel"},
                                        named<tolerance_kind>{tolerance_kind::rel_to_array, "rel_to_array"},
                                        named<tolerance_kind>{tolerance_kind::angle, "angle"},
                                        named<tolerance_kind>{tolerance_kind::set, "set"},
                                        named<tolerance_kind>{tolerance_kind::mostly_exact, "mostly_exact"},
                                        named<tolerance_kind>{tolerance_kind::set_overlap, "set_overlap"}};

template <typename value, std::size_t n>
std::string_view name_of(const std::array<named<value>, n>& names, value what) {
  return std::ranges::find(names, what, &named<value>::what)->name;
}

template <typename value, std::size_t n>
std::optional<value> find(const std::array<named<value>, n>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name, &named<value>::name);
  if (found == names.end()) return std::nullopt;
  return found->what;
}

template <typename value>
std::vector<value> reinterpret(const std::vector<std::uint8_t>& bytes) {
  std::vector<value> values(bytes.size() / sizeof(value));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

template <typename value>
std::vector<double> widen(const std::vector<value>& values) {
  return {values.begin(), values.end()};
}

template <typename code, typename decoder>
std::vector<double> decode(const std::vector<code>& codes, decoder to_float) {
  std::vector<double> values(codes.size());
  std::ranges::transform(codes, values.begin(), [&](code c) { return double{to_float(c)}; });
  return values;
}

bool fits(const array_shape& shape, golden_set::expected_shape expected) {
  return std::ranges::equal(shape, expected,
                            [](std::int64_t is, std::int64_t want) { return want == any || is == want; });
}

}  // namespace

std::string_view to_string(element_type type) { return name_of(element_types, type); }
std::optional<element_type> parse_element_type(std::string_view name) { return find(element_types, name); }
std::string_view to_string(array_role role) { return name_of(array_roles, role); }
std::optional<array_role> parse_array_role(std::string_view name) { return find(array_roles, name); }
std::string_view to_string(tolerance_kind kind) { return name_of(tolerance_kinds, kind); }
std::optional<tolerance_kind> parse_tolerance_kind(std::string_view name) {
  return find(tolerance_kinds, name);
}

std::int64_t element_bytes(element_type type) {
  switch (type) {
    case element_type::f64:
      return 8;
    case element_type::f32:
    case element_type::i32:
      return 4;
    case element_type::bf16:
      return 2;
    case element_type::u8:
    case element_type::e4m3:
      return 1;
  }
  throw std::logic_error("element_bytes: not an element type");
}

std::int64_t golden_array::size() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

golden_set::golden_set(const std::filesystem::path& folder) {
  manifest read = read_manifest(folder);
  name_ = std::move(read.set);
  arrays_ = std::move(read.arrays);
  numbers_ = std::move(read.numbers);
  texts_ = std::move(read.texts);
}

golden_error golden_set::error(std::string_view what) const {
  return golden_error(fmt::format("set {}: {}", name_, what));
}

const golden_array& golden_set::array(std::string_view name) const {
  const auto found = std::ranges::find(arrays_, name, &golden_array::name);
  if (found == arrays_.end()) throw error(fmt::format("no array {}", name));
  return *found;
}

double golden_set::number(const std::string& parameter) const {
  const auto found = numbers_.find(parameter);
  if (found == numbers_.end()) throw error(fmt::format("no number params.{}", parameter));
  return found->second;
}

std::int64_t golden_set::integer(const std::string& parameter) const {
  const double value = number(parameter);
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<double>(whole) != value || whole < 0) {
    throw error(fmt::format("params.{} is {}, not a count", parameter, value));
  }
  return whole;
}

const std::string& golden_set::text(const std::string& parameter) const {
  const auto found = texts_.find(parameter);
  if (found == texts_.end()) throw error(fmt::format("no text params.{}", parameter));
  return found->second;
}

std::int64_t golden_set::extent(std::string_view name, std::size_t dim) const {
  const golden_array& found = array(name);
  if (dim >= found.shape.size()) throw error(fmt::format("array {} has no dimension {}", name, dim));
  return found.shape[dim];
}

const golden_array& golden_set::shaped(std::string_view name, expected_shape shape) const {
  const golden_array& found = array(name);
  if (!fits(found.shape, shape)) {
    throw error(fmt::format("array {} has shape {}, expected {} (-1: any)", name, found.shape, shape));
  }
  return found;
}

std::vector<float> golden_set::floats(std::string_view name, expected_shape shape) const {
  const golden_array& found = shaped(name, shape);
  if (found.type == element_type::f64 || found.type == element_type::i32 || found.type == element_type::u8) {
    throw error(fmt::format("array {} is {}, expected f32, bf16 or e4m3", name, to_string(found.type)));
  }
  const std::vector<double> values = values_of(found.type, found.bytes);
  std::vector<float> narrowed(values.size());
  std::ranges::transform(values, narrowed.begin(), [](double value) { return static_cast<float>(value); });
  return narrowed;
}

std::vector<std::uint8_t> golden_set::bytes(std::string_view name, expected_shape shape) const {
  const golden_array& found = shaped(name, shape);
  if (element_bytes(found.type) != 1) {
    throw error(fmt::format("array {} is {}, expected u8 or e4m3", name, to_string(found.type)));
  }
  return found.bytes;
}

std::vector<std::int32_t> golden_set::ints(std::string_view name, expected_shape shape) const {
  const golden_array& found = shaped(name, shape);
  if (found.type != element_type::i32) {
    throw error(fmt::format("array {} is {}, expected i32", name, to_string(found.type)));
  }
  return reinterpret<std::int32_t>(found.bytes);
}

std::vector<double> values_of(element_type type, const std::vector<std::uint8_t>& bytes) {
  switch (type) {
    case element_type::f32:
      return widen(reinterpret<float>(bytes));
    case element_type::f64:
      return reinterpret<double>(bytes);
    case element_type::i32:
      return widen(reinterpret<std::int32_t>(bytes));
    case element_type::u8:
      return widen(bytes);
    case element_type::bf16:
      return decode(reinterpret<std::uint16_t>(bytes), bf16_to_float);
    case element_type::e4m3:
      return decode(bytes, e4m3_to_float);
  }
  throw std::logic_error("values_of: not an element type");
}

}  // namespace ess::golden
