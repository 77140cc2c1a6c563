// Arms out of databases.
#pragma once

#include <string>

#include "results/judging/judge.h"
#include "results/store.h"

namespace harness {

// The runs of one build: those of the workload named (empty: that of the last run) that have the version and
// revision of the last of them, oldest first. Empty: there is none.
[[nodiscard]] results::arm load_arm(results::store& store, const std::string& workload);

}  // namespace harness
