#include "harness/capacity/throughput.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace harness {

throughput throughput_of(int batch, double accept, double step_us, double gpus_per_node) {
  const double of_user = accept / step_us * 1e6;
  return {.tpot_ms = step_us / accept * 1e-3,
          .tokens_per_s_user = of_user,
          .tokens_per_s_gpu = batch * of_user,
          .tokens_per_s_node = gpus_per_node * batch * of_user};
}

double cost_per_million_tokens(double tokens_per_s_gpu, double gpu_hour_price) {
  constexpr double seconds_an_hour = 3600;
  return gpu_hour_price / (tokens_per_s_gpu * seconds_an_hour) * 1e6;
}

std::vector<std::size_t> pareto_front(std::span<const throughput> all) {
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return std::tie(all[a].tokens_per_s_gpu, all[a].tokens_per_s_user) >
           std::tie(all[b].tokens_per_s_gpu, all[b].tokens_per_s_user);
  });
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    if (front.empty() || all[i].tokens_per_s_user > all[front.back()].tokens_per_s_user) front.push_back(i);
  }
  return front;
}

}  // namespace harness
