// Queries behind the store's reading functions. Internal to the store: they throw what SQLite throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/connection.h"
#include "results/store.h"

namespace results {

// Each point's identity and the status of its last attempt, in the order of registration.
using point_statuses = std::vector<std::pair<std::string, std::optional<attempt_status>>>;
[[nodiscard]] point_statuses read_point_statuses(connection& c, std::int64_t run_number);

[[nodiscard]] std::vector<run_summary> read_runs(connection& c);
[[nodiscard]] std::optional<std::string> read_latest_run(connection& c,
                                                         const std::optional<std::string>& workload_hash);

// With `lost`: what can be read of it, and there what cannot. Throws likewise if that is not even the run
// itself.
using losses = std::vector<std::string>;
[[nodiscard]] std::optional<loaded_run> read_run(connection& c, std::string_view run_id, load_detail detail,
                                                 losses* lost = nullptr);

}  // namespace results
