// std::optional to JSON: nothing is null.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

namespace harness {

template <class T>
[[nodiscard]] nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

}  // namespace harness
