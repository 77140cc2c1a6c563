// What a step says about time: per operation kind, and how much of the transfers compute could not hide.
#pragma once

#include <array>

#include "ess_core/device/device.h"

namespace harness {

using op_times = std::array<double, ess::op_kind_count>;  // us of one step, summed over layers

[[nodiscard]] op_times time_by_kind(const ess::step_program& program, const ess::step_timing& timing);

// Time in which the link moved rows and the compute stream ran nothing, of one step.
[[nodiscard]] ess::microseconds exposed_transfer(const ess::step_program& program,
                                                 const ess::step_timing& timing);

// Time in which the link was busy, of one step.
[[nodiscard]] ess::microseconds link_busy(const ess::step_program& program, const ess::step_timing& timing);

}  // namespace harness
