// Reading of locality models, before anything is fitted. A part of locality_model; not for use outside.
#pragma once

#include <string_view>

#include "workloads/locality_model.h"

namespace workloads {

// Everything but sha256 and layers.
[[nodiscard]] result<locality_model> read_locality(std::string_view text, std::string_view file);

}  // namespace workloads
