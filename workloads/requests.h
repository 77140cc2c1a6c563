// The requests of a `serve` workload: replayed from a log, or drawn. Either way the same settings give the
// same bytes on every machine: no libm function and none of the standard's distributions is used.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "workloads/error.h"
#include "workloads/settings.h"

namespace workloads {

struct request_spec {
  double arrival_s = 0.0;  // after the first request
  int prompt_tokens = 0;
  int output_tokens = 0;

  friend bool operator==(const request_spec&, const request_spec&) = default;
};

struct request_log {
  std::vector<request_spec> requests;  // by arrival
  double length_scale = 1.0;           // that was applied
  int clipped = 0;                     // requests cut to fit max_context_tokens
};

// Reads a log as it was published; the content decides which of the two it is:
//   Mooncake   JSON lines with "timestamp" (ms), "input_length" and "output_length"; other keys are ignored
//   Azure      CSV with the columns TIMESTAMP (UTC), ContextTokens and GeneratedTokens, in any order
// Requests are sorted by time (stably: published logs merge several front ends) and start at 0 s. Lengths may
// be 0 here. `file` is only named in errors.
[[nodiscard]] result<std::vector<request_spec>> parse_request_log(std::string_view text,
                                                                  std::string_view file);

// Draws `count` requests: Poisson arrivals of rate_per_s; lengths by linear interpolation between quantiles
// that have the given p50, p95 and maximum and, between them, the shape of the Mooncake conversation log
// (prompts mean 12,035, p50 6,909, p95 39,550; outputs 343, 350, 698). Prompt and output are independent.
[[nodiscard]] std::vector<request_spec> synthetic_requests(const settings::request_settings& of,
                                                           std::int64_t seed);

// Fits requests to a model: lengths times length_scale, rounded down, at least 1; times times time_scale; the
// first `count`. With length_scale 0 the factor is min(1, max_context_tokens / longest), so that nothing is
// cut and proportions stay; `longest` is prompt and output of the longest request of the whole log, whatever
// the count. With a factor of the user's own, a request that is too long loses first of its prompt.
[[nodiscard]] request_log fit_requests(std::vector<request_spec> log, int longest,
                                       const settings::request_settings& to);

// All of the above, as the settings say. A relative requests.trace is looked for in the current folder, then
// beside the workload file.
[[nodiscard]] result<request_log> make_requests(const settings& of,
                                                const std::filesystem::path& workload_file);

}  // namespace workloads
