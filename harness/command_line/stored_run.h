// A run out of a database, as the command line names it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "results/store.h"

namespace harness {

// `id`: a run's id or its beginning; empty for the latest. Says what is missing and throws `refused`
// otherwise.
[[nodiscard]] results::loaded_run load_run(results::store& store, const std::string& id);

// "FILE" or "FILE:RUN": the latest run of a database, or one of it.
[[nodiscard]] results::loaded_run load_named_run(const std::string& name);

// In the same database, the latest run of that workload in a like environment (results/matching.h).
[[nodiscard]] std::optional<results::loaded_run> load_latest_like(const std::string& name,
                                                                  std::string_view workload,
                                                                  const results::environment& machine);

}  // namespace harness
