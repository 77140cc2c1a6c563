// From a step's time to what users and operators see, and which deployments are not beaten in both.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace harness {

struct throughput {
  double tpot_ms = 0;  // time per output token of a user
  double tokens_per_s_user = 0;
  double tokens_per_s_gpu = 0;
  double tokens_per_s_node = 0;
};

// Every GPU of a node runs a batch of this size.
[[nodiscard]] throughput throughput_of(int batch, double accept, double step_us, double gpus_per_node);

// Of a million output tokens, where a GPU costs so much an hour.
[[nodiscard]] double cost_per_million_tokens(double tokens_per_s_gpu, double gpu_hour_price);

// Indices of those that no other one beats in tokens a second a GPU without being behind in tokens a second a
// user, or the other way round; from most throughput to least. Of equals the first.
[[nodiscard]] std::vector<std::size_t> pareto_front(std::span<const throughput> all);

}  // namespace harness
