// Ranks that are threads of one process, for tests: the same contract as those of a launcher.
#pragma once

#include <functional>
#include <memory>

#include "ess_core/communicator/communicator.h"

namespace ess::test {

// Runs body(communicator of its rank) on `ranks` threads. The first exception comes out once all have ended;
// a rank that throws has given up, so the others' collectives throw too.
void run_ranks(int ranks, const std::function<void(communicator&)>& body,
               std::chrono::milliseconds patience = std::chrono::milliseconds(60'000));

}  // namespace ess::test
