#include "ess_core/step/operation.h"

namespace ess {
namespace {

TEST(op_kind, names_round_trip) {
  for (int i = 0; i < op_kind_count; ++i) {
    const auto kind = static_cast<op_kind>(i);
    EXPECT_EQ(parse_op_kind(to_string(kind)), kind);
  }
  EXPECT_FALSE(parse_op_kind("teleport").has_value());
}

TEST(accesses, disjoint_seats_layers_and_parts_do_not_conflict) {
  const access write{.buffer = buffer_id::latents,
                     .instance = 1,
                     .slice = {0, 2},
                     .part = row_part::incoming,
                     .write = true};
  access read = write;
  read.write = false;
  EXPECT_TRUE(conflict(write, read));
  EXPECT_FALSE(conflict(read, read));
  read.part = row_part::resident;
  EXPECT_FALSE(conflict(write, read));
  read = write;
  read.slice = {2, 2};
  EXPECT_FALSE(conflict(write, read));
  read = write;
  read.instance = 0;
  EXPECT_FALSE(conflict(write, read));
}

TEST(accesses, every_kind_touches_something_and_writes) {
  for (int i = 0; i < op_kind_count; ++i) {
    const operation op{.kind = static_cast<op_kind>(i), .slice = {0, 1}};
    const auto list = accesses_of(op, 1);
    EXPECT_GE(list.size(), 2u) << to_string(op.kind);
  }
}

}  // namespace
}  // namespace ess
