#include "results/profile.h"

#include <algorithm>
#include <array>

namespace results {
namespace {

constexpr std::array<std::string_view, profiled_activity_count> names = {"range", "kernel", "copy"};

}  // namespace

std::string_view to_string(profiled_activity activity) {
  return names.at(static_cast<std::size_t>(activity));
}

std::optional<profiled_activity> parse_profiled_activity(std::string_view name) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) return std::nullopt;
  return static_cast<profiled_activity>(at - names.begin());
}

}  // namespace results
