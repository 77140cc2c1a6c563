#include "ess_core/device/sim/evidence.h"

#include <algorithm>
#include <array>

namespace ess::sim {
namespace {

constexpr std::array<std::string_view, 4> names = {"measured", "published", "derived", "assumed"};

}  // namespace

std::string_view to_string(evidence level) { return names[static_cast<std::size_t>(level)]; }

std::optional<evidence> parse_evidence(std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<evidence>(found - names.begin());
}

}  // namespace ess::sim
