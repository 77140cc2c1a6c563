#include "harness/capacity/capacity.h"

#include <algorithm>
#include <map>

namespace harness {
namespace {

class capacity_search {
 public:
  capacity_search(const capacity_demand& demand, const target& on)
      : demand_(demand),
        gpus_per_node_(on.profile().hardware.gpus_per_node.value),
        simulator_(on, demand.base) {}

  void go_over(const candidate& of) {
    ++answer_.candidates;
    const auto settings = simulator_.settings_of(of);
    const planned_point largest = settings ? simulator_.plan(*settings) : planned_point{};
    if (!settings || largest.verdict != plan_verdict::ok) {
      ++answer_.not_fitting;
      return;
    }
    const std::size_t first = answer_.points.size();
    const auto step_us = [&](int batch) { return simulate(of, *settings, batch); };
    batch_search found = find_batch(largest.batch_max, demand_.tpot_limit_ms * of.accept * 1e3, step_us);
    add_smaller(found, step_us);
    answer_.inversions += inversions(found.tried);
    set_bound(first, bound_of(found.bound, largest));
  }

  capacity_answer finish() {
    std::vector<throughput> rates;
    for (const capacity_point& point : answer_.points) rates.push_back(point.rates);
    answer_.front = pareto_front(rates);
    choose_best();
    const auto lowest = std::ranges::min_element(rates, {}, &throughput::tpot_ms);
    if (lowest != rates.end()) answer_.lowest_tpot_ms = lowest->tpot_ms;
    return std::move(answer_);
  }

 private:
  std::optional<double> simulate(const candidate& of, const workloads::settings& s, int batch) {
    const auto steps = simulator_.run(s, batch);
    if (!steps) return std::nullopt;
    answer_.points.push_back({.of = of,
                              .batch = batch,
                              .steps = *steps,
                              .rates = throughput_of(batch, of.accept, steps->step_us, gpus_per_node_)});
    return steps->step_us;
  }

  // Halves of the smallest that was tried: users are served faster there.
  void add_smaller(batch_search& found, const step_time& step_us) {
    for (int batch = found.tried.front().batch / 2; batch > 0; batch /= 2)
      found.tried.insert(found.tried.begin(), {batch, step_us(batch)});
  }

  [[nodiscard]] capacity_bound bound_of(batch_bound bound, const planned_point& largest) const {
    if (bound == batch_bound::step_limit) return capacity_bound::tpot;
    if (bound == batch_bound::beyond_model) return capacity_bound::beyond_profile;
    switch (simulator_.bound_of(largest)) {
      case memory_bound::device:
        return capacity_bound::device_memory;
      case memory_bound::host:
        return capacity_bound::host_memory;
      case memory_bound::none:
        break;
    }
    return capacity_bound::search;
  }

  // On the largest of the points from `first` on that are within the limit.
  void set_bound(std::size_t first, capacity_bound bound) {
    capacity_point* largest = nullptr;
    for (std::size_t i = first; i < answer_.points.size(); ++i) {
      capacity_point& point = answer_.points[i];
      if (point.rates.tpot_ms > demand_.tpot_limit_ms) continue;
      if (largest == nullptr || point.batch > largest->batch) largest = &point;
    }
    if (largest != nullptr) largest->bound = bound;
  }

  void choose_best() {
    const auto rate = [&](std::size_t i) { return answer_.points[i].rates.tokens_per_s_gpu; };
    std::map<std::pair<workloads::system_kind, int>, std::size_t> best;
    for (std::size_t i = 0; i < answer_.points.size(); ++i) {
      const capacity_point& point = answer_.points[i];
      if (point.rates.tpot_ms > demand_.tpot_limit_ms) continue;
      const auto [at, is_first] = best.try_emplace({point.of.system, point.of.mtp}, i);
      if (!is_first && rate(i) > rate(at->second)) at->second = i;
    }
    for (const auto& [group, i] : best) answer_.best.push_back(i);
    std::ranges::stable_sort(answer_.best, std::greater{}, rate);
  }

  const capacity_demand& demand_;
  double gpus_per_node_;
  step_simulator simulator_;
  capacity_answer answer_;
};

}  // namespace

std::string_view to_string(capacity_bound bound) {
  switch (bound) {
    case capacity_bound::device_memory:
      return "device memory";
    case capacity_bound::host_memory:
      return "host memory";
    case capacity_bound::tpot:
      return "TPOT";
    case capacity_bound::beyond_profile:
      return "profile";
    case capacity_bound::search:
      return "search";
  }
  return "?";
}

capacity_answer search_capacity(const capacity_demand& demand, const target& on,
                                const capacity_progress& report) {
  const std::vector<candidate> candidates = candidates_of(demand.space);
  capacity_search search(demand, on);
  int done = 0;
  for (const candidate& of : candidates) {
    search.go_over(of);
    if (report) report(of, ++done, static_cast<int>(candidates.size()));
  }
  return search.finish();
}

}  // namespace harness
