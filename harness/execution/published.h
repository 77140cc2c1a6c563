// Values that a workload carries from elsewhere, beside what a run of it gave.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/record.h"
#include "results/text_table.h"
#include "workloads/spec.h"

namespace harness {

struct published_beside {
  workloads::published_value published;
  std::string point;           // the label of ours
  std::optional<double> ours;  // nothing: no point of the run has it
  [[nodiscard]] std::optional<double> error() const {
    return ours ? std::optional(*ours / published.value - 1) : std::nullopt;
  }
};

// Published values are about the workload as it ships; settings that do not touch what was measured may
// differ.
[[nodiscard]] bool is_as_published(const workloads::workload& workload);

// Where several points are meant, the best counts: that is what "up to" says. "gain_over_all_gpu" is
// tokens_per_s over those of the best all_gpu point in the same budget.
[[nodiscard]] std::vector<published_beside> beside_published(const workloads::workload& workload,
                                                             const results::loaded_run& run);
// Root of the mean square of the errors of those with a metric and a label; nothing if there are none.
[[nodiscard]] std::optional<double> rms_error(const std::vector<published_beside>& of);

[[nodiscard]] std::string published_table(const std::vector<published_beside>& of);

}  // namespace harness
