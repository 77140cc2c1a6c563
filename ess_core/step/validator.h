// Proves for any program that no operation touches what an unfinished one writes.
#pragma once

#include <string>
#include <vector>

#include "ess_core/step/operation.h"

namespace ess {

struct program_fault {
  std::int32_t operation = 0;  // index into the program
  std::string what;
};

// Empty if the program is sound: waits point backwards, accesses are those that `accesses_of` defines, layers
// and slices are in range, and every two conflicting operations are ordered by streams and waits.
[[nodiscard]] std::vector<program_fault> validate(const step_program& program);

}  // namespace ess
