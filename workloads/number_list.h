// Settings that hold a number for each layer, as text: "0.5 1 1.5". JSON lists are axes of a workload.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace workloads {

// Numbers in decimal notation, separated by blanks. nullopt where anything else stands.
[[nodiscard]] std::optional<std::vector<double>> parse_number_list(std::string_view text);

}  // namespace workloads
