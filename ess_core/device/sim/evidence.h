// How well a figure is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ess::sim {

enum class evidence : std::uint8_t {
  measured,   // by somebody on this hardware; the source has the table
  published,  // by the maker of the hardware or of the code
  derived,    // by arithmetic from such figures
  assumed,    // nobody has measured it
};

[[nodiscard]] std::string_view to_string(evidence level);
[[nodiscard]] std::optional<evidence> parse_evidence(std::string_view name);

// A number and where it comes from.
struct figure {
  double value = 0;
  evidence level = evidence::assumed;
  std::string source = {};

  friend bool operator==(const figure&, const figure&) = default;
};

}  // namespace ess::sim
