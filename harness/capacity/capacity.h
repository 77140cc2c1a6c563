// The search of essbench plan-capacity: the deployment with the highest throughput within a limit on the time
// per output token, and what may be traded for what.
#pragma once

#include <cstdint>
#include <functional>

#include "harness/capacity/batch_search.h"
#include "harness/capacity/step_simulator.h"
#include "harness/capacity/throughput.h"

namespace harness {

struct capacity_demand {
  workloads::settings base;  // see step_simulator
  search_space space;
  double tpot_limit_ms = 50;
};

// Why a candidate's batch is not larger.
enum class capacity_bound : std::uint8_t { device_memory, host_memory, tpot, beyond_profile, search };
[[nodiscard]] std::string_view to_string(capacity_bound bound);

struct capacity_point {
  candidate of;
  int batch = 0;  // of one GPU
  simulated_steps steps;
  throughput rates;
  std::optional<capacity_bound> bound;  // of the largest batch of its candidate within the limit
};

struct capacity_answer {
  std::vector<capacity_point> points;  // all that were simulated
  std::vector<std::size_t> best;       // within the limit, by system and MTP depth; most throughput first
  std::vector<std::size_t> front;      // most throughput first
  int candidates = 0;
  int not_fitting = 0;        // candidates of which not even one request fits, or that the pools do not allow
  int inversions = 0;         // pairs of batches of a candidate, the larger of which took less time
  double lowest_tpot_ms = 0;  // of all points; 0: there are none
};

// Called with each candidate when it is done, and with the number of those done.
using capacity_progress = std::function<void(const candidate& of, int done, int all)>;

[[nodiscard]] capacity_answer search_capacity(const capacity_demand& demand, const target& on,
                                              const capacity_progress& report = {});

}  // namespace harness
