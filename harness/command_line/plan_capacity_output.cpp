#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/command_line/plan_capacity.h"
#include "results/text_table.h"

namespace harness {
namespace {

constexpr double gigabyte = 1e9;

double host_bytes_a_node(const capacity_plan& plan, const capacity_point& point) {
  return static_cast<double>(point.steps.host_bytes) * plan.profile.hardware.gpus_per_node.value;
}

std::optional<double> cost_of(const capacity_plan& plan, const capacity_point& point) {
  if (!plan.asked.gpu_hour_price) return std::nullopt;
  return cost_per_million_tokens(point.rates.tokens_per_s_gpu, *plan.asked.gpu_hour_price);
}

class point_table {
 public:
  explicit point_table(const capacity_plan& plan) : plan_(plan), table_(columns()) {}

  void add(const capacity_point& p) {
    std::vector<std::string> cells = {std::string(workloads::to_string(p.of.system)),
                                      std::to_string(p.of.expert_ranks), std::to_string(p.batch),
                                      p.of.sparse_ratio > 0 ? fmt::format("{}", p.of.sparse_ratio) : "-"};
    if (plan_.asked.per_layer) cells.emplace_back(p.of.sparse_ratio > 0 ? to_string(p.of.pools) : "-");
    const std::vector<std::string> others = {
        std::string(workloads::to_string(p.of.overlap)),
        p.of.two_batch_overlap ? "on" : "off",
        std::to_string(p.of.mtp),
        fmt::format("{:.2f}", p.rates.tpot_ms),
        fmt::format("{:.1f}", p.rates.tokens_per_s_user),
        fmt::format("{:.0f}", p.rates.tokens_per_s_node),
        fmt::format("{:.1f}", 100 * p.steps.hit_rate),
        fmt::format("{:.1f}", static_cast<double>(p.steps.device_bytes) / gigabyte),
        fmt::format("{:.0f}", host_bytes_a_node(plan_, p) / gigabyte)};
    cells.insert(cells.end(), others.begin(), others.end());
    if (const auto cost = cost_of(plan_, p)) cells.push_back(fmt::format("{:.3f}", *cost));
    cells.emplace_back(p.bound ? to_string(*p.bound) : "-");
    table_.add(std::move(cells));
  }
  [[nodiscard]] std::string text() const { return table_.text(); }

 private:
  [[nodiscard]] std::vector<results::table_column> columns() const {
    using enum results::alignment;
    std::vector<results::table_column> out = {
        {{"system"}, left}, {{"EP"}}, {{"batch", "a GPU"}}, {{"ratio"}}};
    if (plan_.asked.per_layer) out.push_back({{"pools"}, left});
    const std::vector<results::table_column> others = {
        {{"overlap"}, left}, {{"TBO"}, left}, {{"MTP"}},          {{"TPOT", "ms"}},     {{"tok/s", "user"}},
        {{"tok/s", "node"}}, {{"hits", "%"}}, {{"device", "GB"}}, {{"host", "GB/node"}}};
    out.insert(out.end(), others.begin(), others.end());
    if (plan_.asked.gpu_hour_price) out.push_back({{"cost", "M tok"}});
    out.push_back({{"limited", "by"}, left});
    return out;
  }

  const capacity_plan& plan_;
  results::text_table table_;
};

std::string table_of(const capacity_plan& plan, const std::vector<std::size_t>& rows) {
  point_table table(plan);
  for (const std::size_t i : rows) table.add(plan.answer.points[i]);
  return table.text();
}

std::string in_words(const capacity_point& p) {
  const std::string pool = p.of.sparse_ratio > 0
                               ? fmt::format(", ratio {}{}, overlap {}", p.of.sparse_ratio,
                                             p.of.pools == pool_sizes::by_layer ? " by layer" : "",
                                             workloads::to_string(p.of.overlap))
                               : "";
  return fmt::format("{}, EP {}, batch {}{}, two-batch overlap {}, MTP {} (accept {:.2f})",
                     workloads::to_string(p.of.system), p.of.expert_ranks, p.batch, pool,
                     p.of.two_batch_overlap ? "on" : "off", p.of.mtp, p.of.accept);
}

// The best of the other systems, beside the best of all.
std::string beside_others(const capacity_plan& plan) {
  const auto& points = plan.answer.points;
  const capacity_point& best = points[plan.answer.best.front()];
  std::vector<workloads::system_kind> told = {best.of.system};
  std::string out;
  for (const std::size_t i : plan.answer.best) {
    const capacity_point& other = points[i];
    if (std::ranges::find(told, other.of.system) != told.end()) continue;
    told.push_back(other.of.system);
    out += fmt::format("      {:.2f} times the best {}: {}\n",
                       best.rates.tokens_per_s_node / other.rates.tokens_per_s_node,
                       workloads::to_string(other.of.system), in_words(other));
  }
  for (const auto system : plan.demand.space.systems) {
    if (std::ranges::find(told, system) == told.end())
      out += fmt::format("      {} does not meet the limit\n", workloads::to_string(system));
  }
  return out;
}

std::string headline(const capacity_plan& plan) {
  const capacity_answer& a = plan.answer;
  if (a.points.empty()) return "no deployment fits the memory\n";
  if (a.best.empty()) {
    const auto& fastest =
        *std::ranges::min_element(a.points, {}, [](const capacity_point& p) { return p.rates.tpot_ms; });
    return fmt::format("nothing meets {} ms a token; the lowest reached is {:.2f} ms: {}\n",
                       plan.demand.tpot_limit_ms, a.lowest_tpot_ms, in_words(fastest));
  }
  const capacity_point& best = a.points[a.best.front()];
  return fmt::format("best: {}\n      {:.0f} tokens/s a node, {:.0f} a GPU, {:.1f} a user, TPOT {:.2f} ms\n",
                     in_words(best), best.rates.tokens_per_s_node, best.rates.tokens_per_s_gpu,
                     best.rates.tokens_per_s_user, best.rates.tpot_ms) +
         beside_others(plan);
}

std::string acceptance(const capacity_plan& plan) {
  std::vector<std::string> inferred;
  for (const int depth : plan.demand.space.mtp_depths) {
    if (depth > 1 && depth != plan.asked.mtp)
      inferred.push_back(
          fmt::format("{:.3g} at {}", accept_of(depth, plan.demand.space.draft_chance), depth));
  }
  if (inferred.empty()) return {};
  return fmt::format(
      "MTP: {:.3g} tokens kept a step at depth {} were given; {} are inferred: each draft is right with "
      "chance "
      "{:.3g}\n     if the one before was. Drafts further ahead are right less often in practice.\n",
      plan.asked.accept, plan.asked.mtp, fmt::join(inferred, ", "), plan.demand.space.draft_chance);
}

double largest_stretch(const capacity_plan& plan) {
  double out = 1;
  for (const auto* rows : {&plan.answer.best, &plan.answer.front})
    for (const std::size_t i : *rows) out = std::max(out, plan.answer.points[i].steps.table_stretch);
  return out;
}

std::string provenance(const capacity_plan& plan) {
  const capacity_answer& a = plan.answer;
  std::string out = fmt::format(
      "All of it is simulated, nothing measured: {} points of {} deployments ({} do not fit),\n"
      "profile {}, SHA-256 {}.\n"
      "A point is the mean of the first {} steps after hand-over, with pools that {} prompt positions have "
      "warmed;\nlarge pools are not full by then, and would miss less after a longer decode.\n",
      a.points.size(), a.candidates, a.not_fitting, plan.profile.hardware.name, plan.profile.sha256,
      plan.demand.base.steps, plan.demand.base.warmup_windows);
  if (const double stretch = largest_stretch(plan); stretch > 1.005)
    out += fmt::format("Sizes up to {:.2f} times the largest that the profile was measured at.\n", stretch);
  if (a.inversions > 0)
    out +=
        fmt::format("In {} cases a larger batch took less time than the next smaller one that was tried.\n",
                    a.inversions);
  return out;
}

nlohmann::ordered_json as_json(const capacity_plan& plan, const capacity_point& p) {
  nlohmann::ordered_json out = {{"system", workloads::to_string(p.of.system)},
                                {"ep", p.of.expert_ranks},
                                {"batch", p.batch},
                                {"mtp", p.of.mtp},
                                {"mtp_accept", p.of.accept},
                                {"overlap", workloads::to_string(p.of.overlap)},
                                {"two_batch_overlap", p.of.two_batch_overlap},
                                {"step_time_us", p.steps.step_us},
                                {"tpot_ms", p.rates.tpot_ms},
                                {"tokens_per_s_per_user", p.rates.tokens_per_s_user},
                                {"tokens_per_s_per_gpu", p.rates.tokens_per_s_gpu},
                                {"tokens_per_s_per_node", p.rates.tokens_per_s_node},
                                {"hit_rate", p.steps.hit_rate},
                                {"table_stretch", p.steps.table_stretch},
                                {"device_bytes", p.steps.device_bytes},
                                {"host_bytes", p.steps.host_bytes},
                                {"host_bytes_per_node", host_bytes_a_node(plan, p)},
                                {"limited_by", nullptr}};
  if (p.bound) out["limited_by"] = to_string(*p.bound);
  if (p.of.sparse_ratio > 0) {
    out["sparse_ratio"] = p.of.sparse_ratio;
    out["pools"] = to_string(p.of.pools);
  }
  if (const auto cost = cost_of(plan, p)) out["cost_per_million_tokens"] = *cost;
  return out;
}

}  // namespace

std::string capacity_text(const capacity_plan& plan) {
  const capacity_answer& a = plan.answer;
  std::string out =
      fmt::format("{} of {} tokens on {}, at most {} ms a token\n\n", plan.asked.model,
                  plan.demand.base.context_tokens, plan.profile.hardware.name, plan.demand.tpot_limit_ms) +
      headline(plan);
  if (!a.best.empty()) {
    out += "\nThe best of each system and MTP depth\n" + table_of(plan, a.best) +
           "\nThroughput against speed for a user: the front of all points within the limit\n" +
           table_of(plan, a.front);
  }
  return out + "\n" + acceptance(plan) + provenance(plan);
}

std::string capacity_json(const capacity_plan& plan) {
  const capacity_answer& a = plan.answer;
  const auto rows = [&](const std::vector<std::size_t>& of) {
    auto out = nlohmann::ordered_json::array();
    for (const std::size_t i : of) out.push_back(as_json(plan, a.points[i]));
    return out;
  };
  const nlohmann::ordered_json out = {
      {"clock", "virtual"},
      {"profile", {{"name", plan.profile.hardware.name}, {"sha256", plan.profile.sha256}}},
      {"model", plan.asked.model},
      {"context_tokens", plan.demand.base.context_tokens},
      {"slo_tpot_ms", plan.demand.tpot_limit_ms},
      {"draft_chance", plan.demand.space.draft_chance},
      {"steps", plan.demand.base.steps},
      {"deployments", a.candidates},
      {"deployments_not_fitting", a.not_fitting},
      {"points_simulated", a.points.size()},
      {"inversions", a.inversions},
      {"lowest_tpot_ms", a.lowest_tpot_ms},
      {"best", rows(a.best)},
      {"front", rows(a.front)}};
  return out.dump(2) + "\n";
}

}  // namespace harness
