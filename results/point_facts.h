// What tables and reports say of a point.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/record.h"

namespace results {

// Of the last attempt; times only if it was measured. Null: none.
[[nodiscard]] const metric_value* shown_metric(const loaded_point& point, std::string_view name);
// "ess batch=4", "uncapped (all_gpu)"
[[nodiscard]] std::string name_of(const loaded_point& of);
// The word of its last attempt's status, or "not tried".
[[nodiscard]] std::string status_of(const loaded_point& of);
// Why a point that was tried is not ok, in one line.
[[nodiscard]] std::string reason_of(const loaded_point& of);
// Operation and microseconds a step (metrics op_<kind>_us), the costliest first.
[[nodiscard]] std::vector<std::pair<std::string, double>> operations_of(const loaded_point& point);
// The CPU device's link, and paced or not.
[[nodiscard]] bool link_is(const loaded_point& point, bool paced);
// There is a ceiling, and somebody under it. A point without a budget is no competitor then.
[[nodiscard]] bool has_uncapped_reference(const loaded_run& run);
// Three digits or more, and no more than the number can use.
[[nodiscard]] std::string short_number(double value);

}  // namespace results
