// Every cache system by name, ESS included.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "ess_core/cache/ess_system.h"

namespace ess {

// Null for a name that is not in `system_names`. Only `ess` looks at the options, and
// `hisparse` at `pool_rows`.
[[nodiscard]] std::unique_ptr<cache_system> make_system(std::string_view name, const ess_options& options);
[[nodiscard]] std::span<const std::string_view> system_names();

}  // namespace ess
