// A virtual clock on which the operations of a step run: streams in order, waits across them, and whatever
// runs at the same time shares what it uses.
#pragma once

#include <span>

#include "ess_core/device/device.h"
#include "ess_core/device/sim/cost_model.h"

namespace ess::sim {

// Operations that run together and ask for more of a resource than there is are slowed down alike, by the
// factor of the resource that is short most; one that does not use it is not. costs: of each operation.
[[nodiscard]] step_timing run_on_event_clock(const step_program& program, std::span<const op_cost> costs);

}  // namespace ess::sim
