// How a gate comes to its verdict: blocks by two builds in turns, judged; and where something looks slower,
// as many blocks again, all of them judged together. What was chance does not come twice.
#pragma once

#include <cstddef>
#include <functional>

#include "results/judging/judge.h"

namespace harness {

struct gate_options {
  std::size_t blocks = 10;
  results::judging_options judging;
  // Floors of twice as many blocks, for the second judgement; those of `judging` are of `blocks`.
  results::noise_floors floors_of_twice;
};

struct two_arms {
  results::arm before, after;
};

// Appends `blocks` runs to each arm.
using block_source = std::function<void(std::size_t blocks, two_arms& into)>;

struct gate_outcome {
  results::judged_arms judged;
  bool measured_again = false;
};

[[nodiscard]] gate_outcome measure_and_judge(const gate_options& options, const block_source& take);

// Whose turn it is in block i, first and second: A B, B A, A B, ...
enum class which_arm : bool { before, after };
[[nodiscard]] constexpr which_arm first_of_block(std::size_t block) {
  return block % 2 == 0 ? which_arm::before : which_arm::after;
}
[[nodiscard]] constexpr which_arm other(which_arm arm) {
  return arm == which_arm::before ? which_arm::after : which_arm::before;
}

}  // namespace harness
