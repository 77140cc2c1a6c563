// Programs of any operations in any order, as no system would build them.
#pragma once

#include <random>

#include "ess_core/model/presets.h"
#include "ess_core/step/program_builder.h"

namespace ess::test {

inline step_program random_program(std::mt19937& rng, int operations) {
  program_builder b(find_model_preset("tiny").value(), {.seats = 4}, 2);
  for (int i = 0; i < operations; ++i) {
    const auto first = static_cast<std::int32_t>(rng() % 4);
    b.add({.kind = static_cast<op_kind>(rng() % op_kind_count),
           .layer = static_cast<std::int32_t>(rng() % 3),
           .slice = {first, 1 + static_cast<std::int32_t>(rng() % static_cast<unsigned>(4 - first))},
           .stream = static_cast<stream_id>(rng() % stream_count),
           .part = static_cast<row_part>(1 + rng() % 3)});
  }
  return std::move(b).finish();
}

}  // namespace ess::test
