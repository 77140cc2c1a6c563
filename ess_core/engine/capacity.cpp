#include "ess_core/engine/capacity.h"

#include <algorithm>

namespace ess {

namespace {

// Drafts reach beyond the last token that a request keeps.
token_id reach(const batch_plan& plan, token_id tokens) { return tokens + plan.query_tokens - 1; }

// Where the pool is a share of the context, a short request may need staging rows that the longest does not:
// most where its context just holds a step's rows.
std::int64_t staging_rows(const batch_plan& plan, const cache_system& system) {
  const token_id step_rows = plan.query_tokens * (plan.model.top_k + 1);
  const token_id worst =
      plan.shortest_tokens == 0
          ? plan.final_tokens
          : std::clamp(step_rows, std::min(plan.shortest_tokens, plan.final_tokens), plan.final_tokens);
  const auto of = [&](token_id tokens) {
    return system.extent(plan.model, reach(plan, tokens), plan.query_tokens).staging_rows;
  };
  return std::max(of(worst), of(plan.final_tokens));
}

}  // namespace

memory_layout make_layout(const batch_plan& plan, const cache_system& system, std::int32_t requests,
                          std::int32_t seats) {
  const token_id tokens = reach(plan, plan.final_tokens);
  const request_extent one = system.extent(plan.model, tokens, plan.query_tokens);
  const bool lands = plan.hand_over == hand_over_way::via_device && system.home() == latent_home::host;
  const auto row = static_cast<std::int32_t>(plan.model.latent_row_bytes().value);
  return {.model = plan.model,
          .shape = {.seats = seats, .query_tokens = plan.query_tokens},
          .weights = plan.weights.value > 0 ? plan.weights : byte_count{plan.model.parameters() * 4},
          .max_context = tokens,
          .index_tokens = requests * one.index_tokens,
          .device_rows = requests * one.device_rows,
          .latent_copies = system.latent_copies(plan.model),
          .staging_rows = requests * staging_rows(plan, system),
          .landing_rows = lands ? tokens : 0,  // one request at a time
          .host_rows = requests * one.host_rows,
          .host_row_pitch = plan.host_row_pitch > 0 ? plan.host_row_pitch : row,
          .map_tokens = requests * system.map_tokens(tokens),
          .prefetch_rows = system.prefetch_rows(),
          .ranks = plan.ranks,
          .pool = system.pool(),
          .layer_weights = system.layer_weights(plan.model)};
}

std::int32_t largest_batch(const batch_plan& plan, const cache_system& system, const memory_budgets& budgets,
                           std::int32_t limit) {
  const auto fits = [&](std::int32_t requests) {
    const auto items = memory_items(make_layout(plan, system, requests, requests));
    const auto within = [&](memory_tier tier, byte_count budget) {
      return budget.value == 0 || total(items, tier) <= budget;
    };
    return within(memory_tier::device, budgets.device) && within(memory_tier::host, budgets.host);
  };
  if (fits(limit)) return limit;
  std::int32_t good = 0;
  std::int32_t bad = limit;
  while (bad - good > 1) {
    const std::int32_t middle = good + (bad - good) / 2;
    (fits(middle) ? good : bad) = middle;
  }
  return good;
}

}  // namespace ess
