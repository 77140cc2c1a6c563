// What each operation of a step takes on the ranks of this machine, measured while all of them decode: a
// hardware profile by which the simulator predicts steps of other batches, contexts, systems and overlaps on
// the same ranks.
#pragma once

#include <string>

#include "ess_core/communicator/communicator.h"
#include "workloads/hardware_profile.h"

namespace harness {

struct rank_calibration_options {
  std::string model = "mini_moe";  // preset
  std::vector<int> batches = {1, 2, 4, 8};
  std::vector<int> contexts = {64, 1024, 4096};
  int steps = 6;  // of each batch and context, the first not counted
  // Of the runs that are to be predicted.
  double gather_gb_per_s = 0.119;
  double copy_gb_per_s = 0.179;
  double call_us = 255;
};

// On the CPU device, without two-batch overlap; times of dispatch and combine include waiting for ranks that
// are as busy as this one. Collective; the same on every rank. `sha256` of the result is empty.
[[nodiscard]] workloads::hardware_profile calibrate_ranks(ess::communicator& ranks,
                                                          const rank_calibration_options& options);

// As find_profile reads it.
[[nodiscard]] std::string profile_text(const ess::sim::hardware& of);

}  // namespace harness
