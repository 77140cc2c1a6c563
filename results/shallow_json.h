// JSON from outside, no deeper nested than anything that this program writes or asks for: nlohmann's reader
// needs no stack, but what writes JSON again calls itself once a level, and a file of 100 KB can ask for
// 100,000 of them.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace results {

inline constexpr int deepest_json = 64;

// nullopt: no JSON, or nested deeper than that.
[[nodiscard]] std::optional<nlohmann::json> parse_shallow_json(std::string_view text);

}  // namespace results
