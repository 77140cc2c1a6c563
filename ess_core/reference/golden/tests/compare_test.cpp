#include "ess_core/reference/golden/compare.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace ess::golden {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr float infinity = std::numeric_limits<float>::infinity();
const float nan_value = std::nanf("");

template <typename value>
std::vector<std::uint8_t> raw(const std::vector<value>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(value));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename value>
golden_array array_of(element_type type, const std::vector<value>& values, const tolerance& allowed) {
  return {.name = "array",
          .type = type,
          .shape = {static_cast<std::int64_t>(values.size())},
          .role = array_role::output,
          .allowed = allowed,
          .bytes = raw(values)};
}

std::string compare_floats(const std::vector<float>& want, const std::vector<float>& got,
                           const tolerance& allowed, const yardsticks& by = {}) {
  return compare(array_of(element_type::f32, want, allowed), raw(got), by);
}

TEST(compare, exact_tells_signed_zeros_apart_and_lets_any_nan_be_nan) {
  const tolerance exact{.kind = tolerance_kind::exact};
  EXPECT_THAT(compare_floats({1, 0, nan_value, infinity}, {1, 0, -nan_value, infinity}, exact), IsEmpty());
  EXPECT_THAT(compare_floats({0}, {-0.0f}, exact), HasSubstr("1 of 1"));
  EXPECT_THAT(compare_floats({1}, {std::nextafter(1.0f, 2.0f)}, exact), HasSubstr("1 of 1"));
  EXPECT_THAT(compare_floats({nan_value, 1}, {1, nan_value}, exact), HasSubstr("2 of 2"));
}

TEST(compare, exact_on_codes_lets_both_nan_codes_be_nan) {
  const tolerance exact{.kind = tolerance_kind::exact};
  const std::vector<std::uint8_t> want = {0x7f, 0x01}, same = {0xff, 0x01}, other = {0x7f, 0x81};
  EXPECT_THAT(compare(array_of(element_type::e4m3, want, exact), same), IsEmpty());
  EXPECT_THAT(compare(array_of(element_type::e4m3, want, exact), other), HasSubstr("first at [1]"));
  EXPECT_THAT(compare(array_of(element_type::u8, want, exact), same), HasSubstr("1 of 2"));
}

TEST(compare, abs_rel_allows_what_it_says_and_no_more) {
  const tolerance allowed{.kind = tolerance_kind::abs_rel, .abs = 0.25, .rel = 0.5};
  EXPECT_THAT(compare_floats({2, -2}, {3.25f, -0.75f}, allowed), IsEmpty());
  EXPECT_THAT(compare_floats({2}, {3.26f}, allowed), HasSubstr("got 3.2"));
  EXPECT_THAT(compare_floats({infinity, -infinity}, {infinity, -infinity}, allowed), IsEmpty());
  EXPECT_THAT(compare_floats({infinity}, {-infinity}, allowed), HasSubstr("1 of 1"));
  EXPECT_THAT(compare_floats({infinity}, {1e30f}, allowed), HasSubstr("1 of 1"));
  EXPECT_THAT(compare_floats({1}, {infinity}, allowed), HasSubstr("1 of 1"));
  EXPECT_THAT(compare_floats({1}, {nan_value}, allowed), HasSubstr("1 of 1"));
  EXPECT_THAT(compare_floats({nan_value}, {nan_value}, allowed), IsEmpty());
}

TEST(compare, rel_to_array_measures_by_the_named_array) {
  const tolerance allowed{.kind = tolerance_kind::rel_to_array, .rel = 0.1, .array = "magnitude"};
  EXPECT_THAT(compare_floats({0, -infinity}, {0.9f, -infinity}, allowed, {{10, 0}}), IsEmpty());
  EXPECT_THAT(compare_floats({0}, {1.1f}, allowed, {{10}}), HasSubstr("1 of 1"));
  EXPECT_THROW(static_cast<void>(compare_floats({0}, {0}, allowed)), golden_error);
}

TEST(compare, angle_grows_with_the_angle_where_that_was_taken_in_single_precision) {
  const tolerance allowed{.kind = tolerance_kind::angle, .abs = 1e-3, .per_radian = 1e-3};
  EXPECT_THAT(compare_floats({0.5f}, {0.51f}, allowed, {{100}}), IsEmpty());
  EXPECT_THAT(compare_floats({0.5f}, {0.51f}, allowed, {{1}}), HasSubstr("1 of 1"));
  const std::vector<double> want = {0.5}, near = {0.5005}, far = {0.51};
  EXPECT_THAT(compare(array_of(element_type::f64, want, allowed), raw(near), {{100}}), IsEmpty());
  EXPECT_THAT(compare(array_of(element_type::f64, want, allowed), raw(far), {{100}}), HasSubstr("1 of 1"));
}

std::string compare_ids(const std::vector<std::int32_t>& want, const std::vector<std::int32_t>& got,
                        const tolerance& allowed) {
  golden_array array = array_of(element_type::i32, want, allowed);
  array.shape = {2, 3};
  return compare(array, raw(got));
}

TEST(compare, set_ignores_order_and_padding_but_not_rows) {
  const tolerance set{.kind = tolerance_kind::set};
  EXPECT_THAT(compare_ids({1, 2, 3, 4, 5, -1}, {3, 1, 2, -1, 5, 4}, set), IsEmpty());
  EXPECT_THAT(compare_ids({1, 2, 3, 4, 5, -1}, {1, 2, 4, 3, 5, -1}, set), HasSubstr("row 0"));
  EXPECT_THAT(compare_ids({1, 2, 3, 4, 5, -1}, {1, 2, 3, 4, 4, 5}, set), HasSubstr("row 1"));
}

TEST(compare, set_overlap_counts_what_is_common_in_each_row) {
  const tolerance two{.kind = tolerance_kind::set_overlap, .min_common = 2};
  EXPECT_THAT(compare_ids({1, 2, 3, 4, 5, 6}, {9, 3, 2, 6, 4, 5}, two), IsEmpty());
  EXPECT_THAT(compare_ids({1, 2, 3, 4, 5, 6}, {1, 2, 3, 6, 8, 9}, two), HasSubstr("row 1"));
}

TEST(compare, mostly_exact_limits_how_many_codes_differ_and_by_how_much) {
  const tolerance allowed{.kind = tolerance_kind::mostly_exact, .max_fraction = 0.5, .max_code_distance = 1};
  const auto compare_codes = [&](const std::vector<std::uint8_t>& want,
                                 const std::vector<std::uint8_t>& got) {
    return compare(array_of(element_type::e4m3, want, allowed), got);
  };
  EXPECT_THAT(compare_codes({0x10, 0x20}, {0x11, 0x20}), IsEmpty());
  EXPECT_THAT(compare_codes({0x00, 0x20}, {0x81, 0x20}), IsEmpty());  // neighbours through zero
  EXPECT_THAT(compare_codes({0x10, 0x20}, {0x12, 0x20}), HasSubstr("by up to 2"));
  EXPECT_THAT(compare_codes({0x10, 0x20}, {0x11, 0x21}), HasSubstr("2 of 2"));
}

TEST(compare, another_number_of_elements_never_agrees) {
  EXPECT_THAT(compare_floats({1, 2}, {1}, {.kind = tolerance_kind::exact}), HasSubstr("4 bytes"));
}

TEST(compare, an_input_is_not_for_comparison) {
  golden_array input = array_of(element_type::u8, std::vector<std::uint8_t>{1}, {});
  input.allowed.reset();
  EXPECT_THROW(static_cast<void>(compare(input, {1})), golden_error);
}

}  // namespace
}  // namespace ess::golden
