// What fields require of each other.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "workloads/settings.h"

namespace workloads {

struct broken_rule {
  std::string_view path;  // of the field to change
  std::string what;
  std::string hint = {};
};

[[nodiscard]] std::optional<broken_rule> check_rules(const settings& of);

}  // namespace workloads
