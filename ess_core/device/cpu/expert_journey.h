// Rows of experts between ranks: there, grouped by expert, and the results back to where their rows came from
// (device/expert_pieces.h).
#pragma once

#include "ess_core/device/cpu/context.h"
#include "ess_core/device/expert_pieces.h"

namespace ess::cpu {

[[nodiscard]] expert_pieces pieces_of(const context& c, batch_slice slice);
// After dispatch has grouped them. Collectives over c.ranks.
void send_to_experts(context& c, batch_slice slice);
void bring_back(context& c, batch_slice slice);

}  // namespace ess::cpu
