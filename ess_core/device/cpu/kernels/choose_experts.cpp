#include "ess_core/device/cpu/kernels/choose_experts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ess::cpu {
namespace {

// Moves the numbers of the `count` largest values to the front.
void partition_largest(const double* values, std::int32_t* numbers, int n, int count) {
  std::iota(numbers, numbers + n, 0);
  std::nth_element(numbers, numbers + count - 1, numbers + n, [&](std::int32_t a, std::int32_t b) {
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  });
}

double sum_of_two_best(const double* values, int n) {
  double best = values[0];
  double second = -std::numeric_limits<double>::infinity();
  for (int i = 1; i < n; ++i) {
    second = std::max(second, std::min(best, values[i]));
    best = std::max(best, values[i]);
  }
  return n > 1 ? best + second : best;
}

// Sinks the experts of all groups but the best.
void drop_groups(double* biased, double* of_group, std::int32_t* numbers, const moe_dims& moe) {
  const int size = moe.experts / moe.groups;
  for (int g = 0; g < moe.groups; ++g) {
    of_group[g] = sum_of_two_best(biased + std::ptrdiff_t{g} * size, size);
  }
  partition_largest(of_group, numbers, moe.groups, moe.top_groups);
  for (int i = moe.top_groups; i < moe.groups; ++i) {
    std::fill_n(biased + std::ptrdiff_t{numbers[i]} * size, size, -std::numeric_limits<double>::infinity());
  }
}

void weigh(const choose_experts_params& p) {
  double sum = 0;
  for (int i = 0; i < p.moe.top_k; ++i) sum += p.scores[p.choice[i].expert];
  for (int i = 0; i < p.moe.top_k; ++i) {
    p.choice[i].weight = static_cast<float>(p.scores[p.choice[i].expert] / sum * p.moe.routed_scale);
  }
}

}  // namespace

void sigmoid(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(1.0 / (1.0 + std::exp(-double{x[i]})));
}

std::size_t choose_experts_scratch_bytes(const moe_dims& moe) {
  return static_cast<std::size_t>(moe.experts + moe.groups) * sizeof(double) +
         static_cast<std::size_t>(moe.experts) * sizeof(std::int32_t);
}

void choose_experts(const choose_experts_params& p) {
  auto* biased = reinterpret_cast<double*>(p.scratch);
  double* of_group = biased + p.moe.experts;
  auto* numbers = reinterpret_cast<std::int32_t*>(of_group + p.moe.groups);
  for (int e = 0; e < p.moe.experts; ++e) biased[e] = double{p.scores[e]} + double{p.bias[e]};
  drop_groups(biased, of_group, numbers, p.moe);
  partition_largest(biased, numbers, p.moe.experts, p.moe.top_k);
  std::sort(numbers, numbers + p.moe.top_k);
  for (int i = 0; i < p.moe.top_k; ++i) p.choice[i].expert = numbers[i];
  weigh(p);
}

void group_by_expert(const group_by_expert_params& p) {
  const int groups = p.experts + 1;
  std::fill_n(p.starts, groups + 1, 0);
  for (std::int64_t i = 0; i < p.lanes * p.top_k; ++i) ++p.starts[p.choice[i].expert];
  if (p.shared) p.starts[p.experts] = static_cast<std::int32_t>(p.lanes);
  std::exclusive_scan(p.starts, p.starts + groups + 1, p.starts, static_cast<std::int32_t>(p.first_row));
  // Each start moves to its group's end, which is the next one's start, while its rows are given out.
  const int copies = p.top_k + (p.shared ? 1 : 0);
  for (std::int64_t lane = 0; lane < p.lanes; ++lane) {
    std::int32_t* rows = p.rows + lane * copies;
    for (int k = 0; k < p.top_k; ++k) rows[k] = p.starts[p.choice[lane * p.top_k + k].expert]++;
    if (p.shared) rows[p.top_k] = p.starts[p.experts]++;
  }
  std::copy_backward(p.starts, p.starts + groups, p.starts + groups + 1);
  p.starts[0] = static_cast<std::int32_t>(p.first_row);
}

}  // namespace ess::cpu
