#include "ess_core/step/validator.h"

#include <algorithm>
#include <random>

#include "ess_core/step/tests/random_program.h"

namespace ess {
namespace {

model_dims tiny() { return find_model_preset("tiny").value(); }

step_program two_streams() {
  program_builder b(tiny(), {.seats = 2}, 3);
  const batch_slice all = b.whole_batch();
  b.add({.kind = op_kind::select_topk, .slice = all});
  b.add({.kind = op_kind::resolve, .slice = all});
  b.add({.kind = op_kind::fetch, .slice = all, .stream = stream_id::copy, .part = row_part::resident});
  b.add({.kind = op_kind::project_attention, .slice = all});
  b.add({.kind = op_kind::append_row, .slice = all});
  b.add({.kind = op_kind::attend, .slice = all, .part = row_part::resident});
  b.add({.kind = op_kind::attend, .slice = all, .part = row_part::incoming});
  b.add({.kind = op_kind::merge, .slice = all});
  return std::move(b).finish();
}

TEST(program_builder, waits_only_where_memory_is_shared) {
  const step_program p = two_streams();
  EXPECT_EQ(p.operations[2].waits, (std::vector<std::int32_t>{1}));  // the fetch needs the list of misses
  EXPECT_TRUE(p.operations[5].waits.empty());                        // resident rows need no fetch
  EXPECT_EQ(p.operations[6].waits, (std::vector<std::int32_t>{2}));  // incoming rows do
  EXPECT_TRUE(p.operations[7].waits.empty());                        // implied by stream order
}

TEST(validator, accepts_what_the_builder_makes) { EXPECT_TRUE(validate(two_streams()).empty()); }

TEST(validator, names_the_race_of_a_dropped_wait) {
  step_program p = two_streams();
  p.operations[6].waits.clear();
  const auto faults = validate(p);
  ASSERT_FALSE(faults.empty());
  EXPECT_EQ(faults[0].operation, 6);
  EXPECT_THAT(faults[0].what, testing::HasSubstr("attend of layer 0 races with fetch of layer 0"));
}

TEST(validator, refuses_waits_that_point_forwards_and_foreign_layers) {
  step_program p = two_streams();
  p.operations[2].waits = {5};
  p.operations[3].layer = 99;
  const auto faults = validate(p);
  EXPECT_TRUE(std::any_of(faults.begin(), faults.end(), [](const auto& f) { return f.operation == 2; }));
  EXPECT_TRUE(std::any_of(faults.begin(), faults.end(), [](const auto& f) { return f.operation == 3; }));
}

// Whatever is added in whatever order, the builder's waits are enough, and no wait is idle: dropping one is a
// race.
TEST(program_builder, derives_sufficient_and_necessary_waits_for_random_programs) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const step_program p = test::random_program(rng, 24);
    EXPECT_TRUE(validate(p).empty());
    for (std::size_t i = 0; i < p.operations.size(); ++i) {
      for (std::size_t w = 0; w < p.operations[i].waits.size(); ++w) {
        step_program broken = p;
        broken.operations[i].waits.erase(broken.operations[i].waits.begin() + static_cast<std::ptrdiff_t>(w));
        EXPECT_FALSE(validate(broken).empty()) << "operation " << i;
      }
    }
  }
}

}  // namespace
}  // namespace ess
