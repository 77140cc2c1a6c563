// Statements behind the store's writing functions, to be called inside a transaction. Internal to the store:
// they throw what SQLite throws, and store_error for a misuse.
#pragma once

#include <cstdint>
#include <string_view>

#include "results/connection.h"
#include "results/record.h"

namespace results {

[[nodiscard]] std::int64_t number_of_run(connection& c, const char* doing, std::string_view run_id);
[[nodiscard]] std::int64_t number_of_point(connection& c, const char* doing, std::int64_t run,
                                           std::string_view identity);

void insert_run(connection& c, const run_record& run, const environment& env,
                const workload_record& workload);
void insert_run_event(connection& c, std::int64_t run, const event_record& event);
// Does nothing if the point is there.
void insert_point(connection& c, std::int64_t run, const point_record& point);
void insert_import(connection& c, std::int64_t run, const import_record& import);
void insert_profile(connection& c, std::int64_t attempt, const profile& of);
// Its status is the last statement.
void insert_attempt(connection& c, std::int64_t run, std::int64_t point, const attempt_record& attempt);

}  // namespace results
