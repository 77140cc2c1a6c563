// Which point of a run another one is measured against.
//
// Two points ask the same question if they have the same device and clock and their requested settings agree
// on everything but how a cache system goes about it (its pool, overlap, batch, ...) and how long it is
// measured.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "results/record.h"
#include "results/statistics.h"

namespace results {

// That question, budgets included, as text: equal where two points ask the same.
[[nodiscard]] std::string question_of(const loaded_point& point);

// The budgets of a point's tiers; "device_budget_bytes" 0 means unlimited.
[[nodiscard]] bool is_uncapped(const loaded_point& point);

// The ok all_gpu point for the same question, budgets included, with the most tokens_per_s. Null: none.
[[nodiscard]] const loaded_point* all_gpu_reference(const loaded_run& run, const loaded_point& of);
// The ok, uncapped all_gpu point for the same question without regard to budgets: the one with the same
// batch, or else the one with the most tokens_per_s. Null: none.
[[nodiscard]] const loaded_point* uncapped_reference(const loaded_run& run, const loaded_point& of);

// tokens_per_s of `point` over that of `reference`; nullopt unless both are ok and have it.
[[nodiscard]] std::optional<double> throughput_ratio(const loaded_point& point,
                                                     const loaded_point* reference);

// Interval of the ratio of a metric's medians, from the samples of both; nullopt where one has fewer than
// two.
[[nodiscard]] std::optional<interval> ratio_bounds(const loaded_point& point, const loaded_point* reference,
                                                   const std::string& metric,
                                                   const bootstrap_options& options = {});

// The batch that ran: the metric, or else the effective setting.
[[nodiscard]] std::optional<double> batch_of(const loaded_point& point);

}  // namespace results
