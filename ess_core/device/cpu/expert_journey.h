// Rows of experts between ranks: there, grouped by expert, and the results back to where their rows came
// from.
//
// An expert's rows are one after another on the rank of their tokens, and a rank's experts follow each other.
// So what one rank gets is one piece, sent from where it lies.
#pragma once

#include <span>

#include "ess_core/device/cpu/context.h"

namespace ess::cpu {

// What arrives for a slice begins at this row of expert_input: by rank that it comes from, then by expert.
[[nodiscard]] std::int64_t first_arrived_row(const context& c, batch_slice slice);
// Of a slice, [held experts], after send_to_experts.
[[nodiscard]] std::span<std::int32_t> arrived_counts_of(context& c, batch_slice slice, int from);
[[nodiscard]] std::span<const std::int32_t> arrived_counts_of(const context& c, batch_slice slice, int from);

// starts: of the slice, by expert (buffer_id::expert_starts). Collectives over c.ranks.
void send_to_experts(context& c, batch_slice slice, const std::int32_t* starts);
void bring_back(context& c, batch_slice slice, const std::int32_t* starts);

}  // namespace ess::cpu
