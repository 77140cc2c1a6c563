// Reading of hardware profiles. A part of hardware_profile; not for use outside.
#pragma once

#include <string_view>

#include "ess_core/device/sim/hardware.h"
#include "workloads/error.h"

namespace workloads {

// More GPUs than any machine has.
inline constexpr int most_ranks = 65'536;

[[nodiscard]] result<ess::sim::hardware> read_hardware(std::string_view text, std::string_view file);

}  // namespace workloads
