#include "harness/planning/shard.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace harness {
namespace {

// Memory that a processor gets through in a second: what a limit in seconds means in bytes.
constexpr double bytes_per_second = 1e10;
// A checked step computes everything once more in double precision.
constexpr double checked_step = 20;

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<shard> parse_shard(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto index = number(text.substr(0, slash));
  const auto of = number(text.substr(slash + 1));
  if (!index || !of || *index < 1 || *index > *of) return std::nullopt;
  return shard{.index = *index, .of = *of};
}

double predicted_cost(const planned_point& plan) {
  if (plan.verdict != plan_verdict::ok) return 0;
  const workloads::settings& s = plan.point.requested;
  const double limit = s.measure.max_seconds * bytes_per_second;
  if (s.kind == workloads::workload_kind::serve) return limit;
  const auto bytes = [](ess::byte_count count) { return static_cast<double>(count.value); };
  const ess::model_dims& m = plan.model;
  const double lists = static_cast<double>(plan.batch) * s.mtp * m.layers;
  const double weights = plan.simulated != nullptr ? 0 : bytes(plan.memory.front().bytes);
  const double step = weights + lists * (s.context_tokens * bytes(m.index_key_bytes()) +
                                         static_cast<double>(m.top_k) * bytes(m.latent_row_bytes()));
  const double set_up = weights + static_cast<double>(plan.batch) * m.layers * s.context_tokens *
                                      (bytes(m.index_key_bytes()) + bytes(m.latent_row_bytes()));
  const int steps = total_steps(s) - s.accuracy.steps;
  return set_up + s.accuracy.steps * checked_step * step + std::min(steps * step, limit);
}

std::vector<int> shards_of(const std::vector<planned_point>& plans, int shards) {
  std::vector<double> costs;
  for (const planned_point& plan : plans) costs.push_back(predicted_cost(plan));
  std::vector<std::size_t> order(plans.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return costs[i]; });
  struct load {
    double cost = 0;
    int points = 0;
  };
  std::vector<load> loads(static_cast<std::size_t>(shards));
  std::vector<int> out(plans.size());
  for (const std::size_t i : order) {
    const auto least =
        std::ranges::min_element(loads, {}, [](const load& l) { return std::pair(l.cost, l.points); });
    least->cost += costs[i];
    ++least->points;
    out[i] = static_cast<int>(least - loads.begin()) + 1;
  }
  return out;
}

}  // namespace harness
