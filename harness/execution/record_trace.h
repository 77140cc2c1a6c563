// Which rows the indexer of a workload's model selects: an index stream of one request, from the steps that a
// run would make.
#pragma once

#include "ess_core/locality/index_trace.h"
#include "harness/execution/machine.h"

namespace harness {

// `steps` query tokens of request 0, each that a step keeps (MTP), all layers. Nothing is timed, and no
// budget holds. Rejected drafts are left out: what is appended and taken back leaves no position behind.
[[nodiscard]] ess::index_trace record_trace(const planned_point& plan, machine& on, std::int32_t steps);

}  // namespace harness
