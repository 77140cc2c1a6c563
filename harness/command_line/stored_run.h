// A run out of a database, as the command line names it.
#pragma once

#include <string>

#include "results/store.h"

namespace harness {

// `id`: a run's id or its beginning; empty for the latest. Says what is missing and throws `refused`
// otherwise.
[[nodiscard]] results::loaded_run load_run(results::store& store, const std::string& id);

// "FILE" or "FILE:RUN": the latest run of a database, or one of it.
[[nodiscard]] results::loaded_run load_named_run(const std::string& name);

}  // namespace harness
