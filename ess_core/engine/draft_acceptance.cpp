#include "ess_core/engine/draft_acceptance.h"

#include <stdexcept>

namespace ess {
namespace {

// 1 + c + c^2 + ..., a term for each query token.
double mean_of(double chance, std::int32_t query_tokens) {
  double mean = 0;
  for (std::int32_t query = 0; query < query_tokens; ++query) mean = mean * chance + 1.0;
  return mean;
}

double chance_for(std::int32_t query_tokens, double mean_kept) {
  double low = 0.0;
  double high = 1.0;
  if (mean_kept >= query_tokens) return high;
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (mean_of(middle, query_tokens) < mean_kept ? low : high) = middle;
  }
  return low;
}

}  // namespace

draft_acceptance::draft_acceptance(std::int32_t query_tokens, double mean_kept, std::uint64_t seed)
    : query_tokens_(query_tokens), chance_(chance_for(query_tokens, mean_kept)), seed_(seed) {
  if (mean_kept < 1.0 || mean_kept > query_tokens)
    throw std::invalid_argument("a step keeps at least 1 token and at most its query tokens");
}

std::int32_t draft_acceptance::kept(request_id request, std::int32_t step) const {
  const counter_rng rng(seed_, purpose::acceptance, static_cast<std::uint32_t>(request));
  std::int32_t kept = 1;
  while (kept < query_tokens_) {
    const auto draw = static_cast<std::uint64_t>(step) * static_cast<std::uint64_t>(query_tokens_) +
                      static_cast<std::uint64_t>(kept);
    if (rng.uniform(draw) >= chance_) break;
    ++kept;
  }
  return kept;
}

}  // namespace ess
