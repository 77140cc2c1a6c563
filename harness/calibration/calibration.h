// What a machine's link and memory can do, measured alone: transfers by copy engine and by kernel, against
// row size, pitch and number of rows. Stored as a run, so that results of other machines can be seen in
// percent of theirs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ess_core/device/transfer_probe.h"
#include "harness/planning/target.h"
#include "results/record.h"

namespace harness {

inline constexpr std::string_view calibration_name = "calibrate";

struct calibration_step {
  std::string label;  // "gather 4096 x 656 B, pitch 704"
  ess::transfer what;
};
// What is measured on a device of that family; small on the stand-in, whose times say nothing.
[[nodiscard]] std::vector<calibration_step> calibration_steps(device_family family);

// Throws unsupported for a simulated device.
[[nodiscard]] std::unique_ptr<ess::transfer_probe> make_probe(const target& on);

[[nodiscard]] results::workload_record calibration_record(const std::vector<calibration_step>& steps);
[[nodiscard]] results::point_record point_of(const calibration_step& step, const target& on,
                                             const results::workload_record& workload);
// Metrics: transfer_us and transfer_gb_per_s (10^9 bytes; of copies both ways or within the device what the
// definition of the transfer says).
[[nodiscard]] results::attempt_record attempt_of(const calibration_step& step, ess::transfer_probe& probe,
                                                 int samples);

// A table of all of them.
[[nodiscard]] std::string calibration_text(const results::loaded_run& run);

}  // namespace harness
