// Collects what a golden case computed, compared array by array.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/layout/latent_row.h"
#include "ess_core/reference/golden/golden_set.h"

namespace ess::golden {

struct set_report {
  std::string set;                        // name in the manifest, or the folder if that could not be read
  std::vector<std::string> compared;      // names of stage and output arrays
  std::vector<std::string> not_compared;  // those that no case knows
  std::vector<std::string> faults;        // "set/array: what is wrong"; empty if all is well
};

class golden_check {
 public:
  explicit golden_check(const golden_set& set) : set_(set) {}

  // Elements are converted to the array's type if that loses nothing of what the manifest compares: floats to
  // bf16, f32 or f64. Any other pair is a golden_error.
  void expect(std::string_view array, std::span<const float> got);
  void expect(std::string_view array, std::span<const double> got);
  void expect(std::string_view array, std::span<const std::uint8_t> got);
  void expect(std::string_view array, std::span<const std::uint16_t> got);
  void expect(std::string_view array, std::span<const std::int32_t> got);
  // Only rows (along the first dimension) for which `use` is set.
  void expect_rows(std::string_view array, std::span<const float> got, const std::vector<bool>& use);
  // Packed rows under mostly_exact: codes are compared by distance, rotary values likewise as bf16, and a
  // scale may be off by one power of two, in which case the codes of its tile just count as differing.
  void expect_latent_rows(std::string_view array, std::span<const std::uint8_t> got,
                          const latent_row_format& format);

  [[nodiscard]] set_report finish() &&;

 private:
  void compare_bytes(const golden_array& want, const std::vector<std::uint8_t>& got);
  void record(const golden_array& want, const std::string& fault);

  const golden_set& set_;
  set_report report_;
};

}  // namespace ess::golden
