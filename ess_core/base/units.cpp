#include "ess_core/base/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>

namespace ess {

std::string to_string(byte_count bytes) {
  static constexpr std::array<std::string_view, 5> names = {"B", "kB", "MB", "GB", "TB"};
  double amount = static_cast<double>(bytes.value);
  std::size_t unit = 0;
  while (std::abs(amount) >= 999.95 && unit + 1 < names.size()) {
    amount /= 1000.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes.value) : fmt::format("{:.1f} {}", amount, names[unit]);
}

}  // namespace ess
