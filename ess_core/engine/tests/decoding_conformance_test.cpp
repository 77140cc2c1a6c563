// What every cache system computes must not depend on where rows lie, who decodes beside a request, which
// rows were evicted, or how many drafts were tried and rejected: each request's outputs equal those of
// decoding it alone, a token a step, with everything on the device.
#include <fmt/format.h>

#include <cmath>

#include "ess_core/engine/tests/serving.h"

namespace ess::test {
namespace {

struct named_scenario {
  std::string name;
  scenario what;
};

std::string name_of(const testing::TestParamInfo<named_scenario>& info) { return info.param.name; }
void PrintTo(const named_scenario& s, std::ostream* out) { *out << s.name; }

// A mean in which all numbers of kept tokens occur.
double some_rejected(std::int32_t query_tokens) { return query_tokens == 1 ? 1.0 : 0.5 * (1 + query_tokens); }

std::vector<named_scenario> with_depths(const std::string& name, scenario what) {
  std::vector<named_scenario> out;
  for (std::int32_t depth = 1; depth <= max_query_tokens; ++depth) {
    what.query_tokens = depth;
    what.mean_kept = some_rejected(depth);
    out.push_back({fmt::format("{}_mtp{}", name, depth), what});
  }
  return out;
}

std::vector<named_scenario> all_scenarios() {
  std::vector<named_scenario> out;
  const auto add = [&](const std::vector<named_scenario>& more) {
    out.insert(out.end(), more.begin(), more.end());
  };
  for (const auto system : system_names()) {
    if (system != "ess") add(with_depths(std::string(system), {.system = system}));
  }
  for (int kind = 1; kind < pool_kind_count; ++kind) {
    const auto policy = static_cast<pool_kind>(kind);
    const std::string name = fmt::format("ess_{}", to_string(policy));
    add(with_depths(name, {.ess = {.sparse_ratio = 0.25, .policy = policy}}));
    add(with_depths(name + "_few_rows", {.ess = {.pool_rows = 20, .policy = policy}}));
  }
  return out;
}

std::int64_t tokens_of(const outputs& all) {
  std::int64_t sum = 0;
  for (const auto& [request, tokens] : all) sum += static_cast<std::int64_t>(tokens.size());
  return sum;
}

class decoding : public testing::TestWithParam<named_scenario> {};

TEST_P(decoding, equals_decoding_alone_bit_for_bit) {
  const served got = serve(GetParam().what, mixed_requests());
  EXPECT_EQ(got.hidden, decoded_alone(GetParam().what.preset));
  EXPECT_EQ(got.rows.hits + got.rows.misses, got.rows.asked);
  EXPECT_GT(got.steps, tokens_of(got.hidden) / (4 * GetParam().what.query_tokens));
}

INSTANTIATE_TEST_SUITE_P(systems, decoding, testing::ValuesIn(all_scenarios()), name_of);

std::vector<named_scenario> moe_scenarios() {
  std::vector<named_scenario> out;
  for (const auto system : system_names()) {
    const scenario what{.system = system, .preset = "tiny_moe", .query_tokens = 2, .mean_kept = 1.5};
    out.push_back({fmt::format("{}_tiny_moe", system), what});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(mixture_of_experts, decoding, testing::ValuesIn(moe_scenarios()), name_of);

}  // namespace
}  // namespace ess::test
