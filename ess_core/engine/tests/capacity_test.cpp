#include "ess_core/engine/capacity.h"

#include "baselines/systems.h"
#include "ess_core/model/presets.h"

namespace ess {
namespace {

TEST(make_layout, counts_what_each_policy_keeps_beside_the_rows) {
  const model_dims model = find_model_preset("tiny").value();
  const auto pool_bytes = [&](pool_kind policy) {
    const auto system = make_system("ess", {.pool_rows = 64, .policy = policy});
    const memory_layout l = make_layout({.model = model, .final_tokens = 1024}, *system, 2, 2);
    return buffer_bytes(l, buffer_id::pool).value / model.layers;
  };
  constexpr std::int64_t maps_and_headers = 2 * (1024 * 2 + 32);
  EXPECT_EQ(pool_bytes(pool_kind::lru), maps_and_headers + 2 * 64 * 12);
  EXPECT_EQ(pool_bytes(pool_kind::sieve), maps_and_headers + 2 * 64 * 12);
  EXPECT_EQ(pool_bytes(pool_kind::clock), maps_and_headers + 2 * 64 * 8);
  EXPECT_EQ(pool_bytes(pool_kind::score_aware), maps_and_headers + 2 * 64 * 10);
  const auto hisparse = make_system("hisparse", {.pool_rows = 64});
  const memory_layout theirs = make_layout({.model = model, .final_tokens = 1024}, *hisparse, 2, 2);
  EXPECT_EQ(theirs.map_tokens, 0);
  EXPECT_EQ(buffer_bytes(theirs, buffer_id::pool).value / model.layers, 2 * (32 + 64 * 6));
}

TEST(largest_batch, is_the_last_that_fits) {
  const batch_plan plan{.model = find_model_preset("tiny").value(), .final_tokens = 600};
  for (const auto name : system_names()) {
    const auto system = make_system(name, {});
    const byte_count budget = total(memory_items(make_layout(plan, *system, 7, 7)), memory_tier::device);
    EXPECT_EQ(largest_batch(plan, *system, {.device = budget}, 1000), 7) << name;
    EXPECT_EQ(largest_batch(plan, *system, {.device = budget - byte_count{1}}, 1000), 6) << name;
  }
}

TEST(largest_batch, minds_the_host_tier_and_the_limit) {
  const batch_plan plan{.model = find_model_preset("tiny").value(), .final_tokens = 600};
  const auto ess = make_system("ess", {});
  const byte_count host = total(memory_items(make_layout(plan, *ess, 5, 5)), memory_tier::host);
  EXPECT_EQ(largest_batch(plan, *ess, {.host = host}, 1000), 5);
  EXPECT_EQ(largest_batch(plan, *ess, {}, 33), 33);
  EXPECT_EQ(largest_batch(plan, *ess, {.device = byte_count{1000}}, 33), 0);
}

// The published arithmetic: one cache budget of about 80 GiB a GPU holds 54 requests at 32K without offload
// and 159 at ratio 0.21 (arXiv 2512.10576; caches alone, without activations and maps).
TEST(request_extent, reproduces_the_published_batches) {
  const model_dims m = find_model_preset("deepseek_v3_2").value();
  constexpr token_id context = 32768;
  const auto cache_bytes = [&](const cache_system& system) {
    const request_extent e = system.extent(m, context, 1);
    return m.layers * (e.index_tokens * m.index_key_bytes() + e.device_rows * m.latent_row_bytes());
  };
  const double budget = 80.0 * 1024 * 1024 * 1024;
  EXPECT_EQ(static_cast<int>(budget / static_cast<double>(cache_bytes(*make_system("all_gpu", {})).value)),
            54);
  EXPECT_EQ(static_cast<int>(
                budget / static_cast<double>(cache_bytes(*make_system("ess", {.sparse_ratio = 0.21})).value)),
            159);
}

}  // namespace
}  // namespace ess
