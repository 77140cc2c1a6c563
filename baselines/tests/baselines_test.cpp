#include <algorithm>

#include "baselines/systems.h"
#include "ess_core/model/presets.h"
#include "ess_core/step/decode_step.h"
#include "ess_core/step/validator.h"

namespace ess {
namespace {

model_dims tiny() { return find_model_preset("tiny").value(); }

step_program program_of(std::string_view name, overlap_kind overlap = overlap_kind::da,
                        const model_dims& model = tiny()) {
  return build_decode_step(model, {.seats = 4}, *make_system(name, {}), {.kind = overlap});
}

bool has(const step_program& p, op_kind kind) {
  return std::any_of(p.operations.begin(), p.operations.end(),
                     [&](const auto& op) { return op.kind == kind; });
}

TEST(systems, are_found_by_their_names_only) {
  for (const auto name : system_names()) EXPECT_EQ(make_system(name, {})->name(), name);
  EXPECT_EQ(make_system("all_cpu", {}), nullptr);
}

TEST(systems, build_sound_programs) {
  for (const auto name : system_names()) {
    for (const overlap_kind overlap : all_overlaps) {
      for (const auto& fault : validate(program_of(name, overlap)))
        ADD_FAILURE() << name << ": " << fault.what;
    }
  }
}

TEST(systems, build_sound_programs_of_a_mixture_of_experts) {
  const model_dims moe = find_model_preset("tiny_moe").value();
  for (const auto name : system_names()) {
    for (const overlap_kind overlap : {overlap_kind::none, overlap_kind::da}) {
      const step_program p = program_of(name, overlap, moe);
      for (const auto& fault : validate(p)) ADD_FAILURE() << name << ": " << fault.what;
      for (const operation& op : p.operations) {
        EXPECT_FALSE(op.kind == op_kind::feed_forward && op.layer > 0) << name;
        EXPECT_FALSE(op.kind == op_kind::experts && op.layer == 0) << name;
      }
    }
  }
  EXPECT_TRUE(has(program_of("ess", overlap_kind::none, moe), op_kind::combine));
  EXPECT_FALSE(has(program_of("ess"), op_kind::combine));
}

TEST(systems, only_ess_splits_its_attention) {
  for (const auto name : system_names())
    EXPECT_EQ(has(program_of(name), op_kind::merge), name == "ess") << name;
}

TEST(systems, use_the_link_as_defined) {
  EXPECT_FALSE(has(program_of("all_gpu"), op_kind::write_back));
  EXPECT_TRUE(has(program_of("naive_memcpy"), op_kind::fetch_by_call));
  EXPECT_FALSE(has(program_of("naive_memcpy"), op_kind::fetch));
  EXPECT_TRUE(has(program_of("naive_gather"), op_kind::fetch));
  EXPECT_TRUE(has(program_of("layer_stream"), op_kind::stream_layer));
  EXPECT_TRUE(has(program_of("hisparse"), op_kind::fetch));
  for (const auto name : {"naive_memcpy", "naive_gather", "layer_stream", "ess", "hisparse"}) {
    EXPECT_TRUE(has(program_of(name), op_kind::write_back)) << name;
  }
}

TEST(hisparse, has_a_small_pool_of_fixed_size_that_starts_empty) {
  const auto as_shipped = make_system("hisparse", {.sparse_ratio = 0.9});
  EXPECT_EQ(as_shipped->extent(tiny(), 1'000, 1).device_rows, 2 * tiny().top_k);
  EXPECT_EQ(as_shipped->extent(tiny(), 100'000, 1).device_rows, 2 * tiny().top_k);
  EXPECT_EQ(as_shipped->extent(tiny(), 40, 1).device_rows, 40);
  EXPECT_EQ(as_shipped->extent(tiny(), 1'000, 1).staging_rows, 0);
  EXPECT_EQ(as_shipped->extent(tiny(), 1'000, 4).staging_rows, 4 * (tiny().top_k + 1) - 2 * tiny().top_k);
  EXPECT_EQ(make_system("hisparse", {.pool_rows = 50})->extent(tiny(), 1'000, 1).device_rows, 50);
  EXPECT_FALSE(as_shipped->warms_up());
  EXPECT_TRUE(make_system("ess", {})->warms_up());
  EXPECT_EQ(as_shipped->map_tokens(1'000), 0);
}

// What differs is the pool: operation by operation it is the program of `ess` without overlap.
TEST(hisparse, runs_the_program_of_ess_without_overlap) {
  const step_program theirs = program_of("hisparse", overlap_kind::da);
  const step_program ours = program_of("ess", overlap_kind::none);
  EXPECT_EQ(theirs.operations, ours.operations);
}

// The copy of layer l + 1 may start once layer l - 1 has been attended, so it runs under layer l.
TEST(layer_stream, copies_the_next_layer_under_this_one) {
  const step_program p = program_of("layer_stream");
  for (std::size_t i = 0; i < p.operations.size(); ++i) {
    const operation& op = p.operations[i];
    if (op.kind != op_kind::stream_layer || op.layer < 2) continue;
    ASSERT_EQ(op.waits.size(), 1u);
    const operation& before = p.operations[static_cast<std::size_t>(op.waits[0])];
    EXPECT_EQ(before.kind, op_kind::attend);
    EXPECT_EQ(before.layer, op.layer - 2);
  }
}

}  // namespace
}  // namespace ess
