// The models that ship with essbench, by name.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "ess_core/model/dims.h"

namespace ess {

// "deepseek_v3_2" (full size), "mini" (weights larger than a core's cache; what `quick` runs), "tiny"
// (tests); "mini_moe" and "tiny_moe": the same with a mixture of experts behind a first dense layer.
[[nodiscard]] std::optional<model_dims> find_model_preset(std::string_view name);
[[nodiscard]] std::span<const std::string_view> model_preset_names();

}  // namespace ess
