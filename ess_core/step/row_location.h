// Where rows lie, and which of them an operation means: plain numbers that kernels use, too.
#pragma once

#include <cstdint>

namespace ess {

// Query tokens of a request in one step: 1 and up to 3 drafts.
inline constexpr std::int32_t max_query_tokens = 4;

// Rows of a step fall into those that the device held when it began and those that arrive during it. For
// host_latents: rows stored by earlier steps, and the rows written back in this one. Others: rows of a pool
// that the step does not use.
enum class row_part : std::uint8_t { resident = 1, incoming = 2, all = 3, others = 4 };

// How `attend` finds the row of the i-th selected token within its seat's extent.
enum class row_addressing : std::uint8_t { by_token, by_location };

// Where `resolve` says a selected row lies: a row of the request's extent in `latents`, or, from the extent's
// end on, in its staging rows; with `incoming_flag` if it arrives in this step. -1 = padding.
using row_location = std::int32_t;
inline constexpr row_location incoming_flag = 1 << 30;
inline constexpr row_location no_location = -1;

}  // namespace ess
