// Everything that can be set for one measured point. The initial values are the defaults of a workload file;
// fields.h says for each of them path, unit, range and meaning.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>

#include "workloads/names.h"

namespace workloads {

// What a batch is: a number of requests, the most that fits, or the most that fits for another system.
struct max_batch {
  friend bool operator==(const max_batch&, const max_batch&) = default;
};
struct max_batch_of {
  system_kind system = system_kind::ess;
  friend bool operator==(const max_batch_of&, const max_batch_of&) = default;
};
using batch_choice = std::variant<int, max_batch, max_batch_of>;

// 12, "max" or "max:ess"
[[nodiscard]] nlohmann::json to_json_value(const batch_choice& batch);

struct settings {
  workload_kind kind = workload_kind::fixed;
  system_kind system = system_kind::ess;

  struct model_settings {
    std::string preset = "mini";
    int layers = 0;    // 0: all of the preset
    int experts = 0;   // 0: all of the preset
    int ep_slice = 1;  // experts are split this many ways and one slice is held
    weights_mode weights = weights_mode::bf16;
    int distinct_layers = 0;  // 0: all
  } model;

  struct cluster_settings {
    int nodes = 0;                    // 0: of the hardware profile
    int ep = 0;                       // 0: of the hardware profile
    std::optional<double> imbalance;  // without: of the hardware profile
  } cluster;

  // Of the simulator.
  struct simulation_settings {
    int requests = 4;  // followed exactly at a time; 0: all
    int layers = 0;    // followed exactly; 0: all
    std::string locality = "deepseek_v3_2";
    int misses = 0;  // of every request and layer in every step; 0: what the pools miss
    key_reads_mode key_reads = key_reads_mode::once_a_step;
  } simulation;

  batch_choice batch = max_batch{};
  int context_tokens = 4096;
  int steps = 100;
  std::int64_t seed = 1;

  // Alternatives: exactly one of the two has a value.
  std::optional<std::int64_t> device_budget_bytes = 0;  // 0: unlimited
  std::optional<std::int64_t> device_budget_beyond_weights_bytes;
  std::int64_t host_budget_bytes = 0;  // 0: unlimited

  int mtp = 1;
  double mtp_accept = 1.0;
  bool two_batch_overlap = false;

  // Alternatives: exactly one of the two has a value.
  std::optional<double> sparse_ratio = 0.2;
  std::optional<int> pool_rows;
  std::string pool_weights;  // by layer; empty: all alike

  eviction_policy policy = eviction_policy::lru;
  warmup_mode warmup = warmup_mode::windows;
  int warmup_windows = 32;
  int distinct_prompts = 0;  // 0: every request has its own
  int prefetch_rows = 0;
  handover_mode handover = handover_mode::via_device;
  overlap_mode overlap = overlap_mode::da;
  std::string layer_misses;      // by layer; empty: measured
  double dba_from_misses = 0.0;  // 0: a tenth of top-k
  int host_row_pitch_bytes = 0;  // 0: the size of a row
  int cpu_threads = 0;           // 0: one a core

  struct link_settings {
    bool paced = false;
    double gather_gb_per_s = 37.0;
    double copy_gb_per_s = 50.0;
    double call_us = 5.0;
    bool batched_calls = false;
  } link;

  struct request_settings {
    std::string trace;  // empty: synthetic
    double rate_per_s = 1.0;
    int count = 64;  // 0: the whole log
    int max_context_tokens = 0;
    double slo_tpot_ms = 0.0;   // 0: none
    double length_scale = 0.0;  // 0: the largest, at most 1, at which every request fits
    double time_scale = 1.0;
    // Quantiles of the Mooncake conversation log (FAST'25 release, 12,031 requests).
    int prompt_tokens_p50 = 6909;
    int prompt_tokens_p95 = 39550;
    int prompt_tokens_max = 126195;
    int output_tokens_p50 = 350;
    int output_tokens_p95 = 698;
    int output_tokens_max = 2000;
  } requests;

  struct measure_settings {
    int warmup_steps = 2;
    int min_samples = 10;
    int max_samples = 100;
    double max_seconds = 60.0;
    double relative_ci = 0.02;
  } measure;

  struct accuracy_settings {
    int steps = 1;
    int requests = 1;
    int layers = 0;  // 0: all
  } accuracy;
};

// {path: value} of every field that has a value and matters for this kind; `system` is one of them.
[[nodiscard]] nlohmann::json to_flat_json(const settings& of);

}  // namespace workloads
