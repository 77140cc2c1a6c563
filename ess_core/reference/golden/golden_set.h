// Golden vectors: a folder with a manifest and one raw file per array (little-endian, row-major, no header).
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ess::golden {

// A set that cannot be used: missing or truncated file, unknown type, tolerance or set, shapes that do not
// fit.
class golden_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class element_type : std::uint8_t { f32, f64, i32, u8, bf16, e4m3 };
enum class array_role : std::uint8_t { input, stage, output };
enum class tolerance_kind : std::uint8_t {
  exact,
  abs_rel,
  rel_to_array,
  angle,
  set,
  mostly_exact,
  set_overlap
};

[[nodiscard]] std::string_view to_string(element_type type);
[[nodiscard]] std::optional<element_type> parse_element_type(std::string_view name);
[[nodiscard]] std::string_view to_string(array_role role);
[[nodiscard]] std::optional<array_role> parse_array_role(std::string_view name);
[[nodiscard]] std::string_view to_string(tolerance_kind kind);
[[nodiscard]] std::optional<tolerance_kind> parse_tolerance_kind(std::string_view name);
[[nodiscard]] std::int64_t element_bytes(element_type type);

// Fields that a kind does not use are 0.
struct tolerance {
  tolerance_kind kind = tolerance_kind::exact;
  double abs = 0;
  double rel = 0;
  double per_radian = 0;
  double max_fraction = 0;
  std::int64_t max_code_distance = 0;
  std::int64_t min_common = 0;
  std::string array = {};  // the yardstick of rel_to_array
};

using array_shape = std::vector<std::int64_t>;

struct golden_array {
  std::string name;
  element_type type = element_type::u8;
  array_shape shape;
  array_role role = array_role::input;
  std::optional<tolerance> allowed;  // always there for stages and outputs
  std::vector<std::uint8_t> bytes;

  [[nodiscard]] std::int64_t size() const;
  [[nodiscard]] std::int64_t last_dim() const { return shape.back(); }
};

// Any extent, where a shape is expected.
inline constexpr std::int64_t any = -1;

class golden_set {
 public:
  // Reads the manifest and all arrays and checks every file's size. Throws golden_error.
  explicit golden_set(const std::filesystem::path& folder);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<golden_array>& arrays() const { return arrays_; }
  // These throw golden_error if there is no such thing, or not with this type or shape.
  [[nodiscard]] const golden_array& array(std::string_view name) const;
  [[nodiscard]] double number(const std::string& parameter) const;
  [[nodiscard]] std::int64_t integer(const std::string& parameter) const;
  [[nodiscard]] const std::string& text(const std::string& parameter) const;

  using expected_shape = std::initializer_list<std::int64_t>;
  [[nodiscard]] std::int64_t extent(std::string_view name, std::size_t dim) const;
  [[nodiscard]] std::vector<float> floats(std::string_view name,
                                          expected_shape shape) const;  // f32, bf16, e4m3
  [[nodiscard]] std::vector<std::uint8_t> bytes(std::string_view name,
                                                expected_shape shape) const;  // u8, e4m3
  [[nodiscard]] std::vector<std::int32_t> ints(std::string_view name, expected_shape shape) const;  // i32

  // "set NAME: WHAT", to throw where a case finds that a set makes no sense.
  [[nodiscard]] golden_error error(std::string_view what) const;

 private:
  const golden_array& shaped(std::string_view name, expected_shape shape) const;

  std::string name_;
  std::vector<golden_array> arrays_;
  std::map<std::string, double> numbers_;
  std::map<std::string, std::string> texts_;
};

// The elements as numbers. Exact for every type.
[[nodiscard]] std::vector<double> values_of(element_type type, const std::vector<std::uint8_t>& bytes);

}  // namespace ess::golden
