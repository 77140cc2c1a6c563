// Runs a workload: every point in turn, each attempt into the store as soon as it ends.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ess_core/communicator/communicator.h"
#include "harness/measure/cancellation.h"
#include "harness/measure/progress.h"
#include "harness/planning/shard.h"
#include "harness/planning/target.h"
#include "results/store.h"
#include "workloads/spec.h"

namespace harness {

enum class resume_mode : std::uint8_t { fresh, resume };

struct run_options {
  resume_mode mode = resume_mode::fresh;
  progress_style style = progress_style::plain;
  std::string command_line;
  target on = {};
  shard part = {};          // of the plan: the points that this run tries
  std::string run_id = {};  // of a new run, or of the one to resume; empty: a new one, or the last
  const cancellation* cancel = nullptr;  // null: the run listens itself
};

struct run_outcome {
  std::string run_id;
  bool cancelled = false;  // or ended for the loss of a rank; resumable
  std::string ranks_lost;  // why, if the ranks can no longer agree
  int incorrect = 0;
  int failed = 0;                  // unsupported, out of memory, timeout, error
  std::vector<std::string> unmet;  // expectations of the workload that do not hold
  std::vector<std::string> notes;  // the same, where --set changed what they were about
};

// Throws store_error. Everything that goes wrong with a point is that point's status.
[[nodiscard]] run_outcome run_workload(const workloads::workload& workload, results::store& store,
                                       const run_options& options);
// The same over ranks, all of which call it alike: the first one has the store, the others none.
[[nodiscard]] run_outcome run_workload(const workloads::workload& workload, results::store* store,
                                       ess::communicator& ranks, const run_options& options);

// What the record of a run on `on` says: see below.
[[nodiscard]] results::environment describe(const target& on);
// Everything of a run's record but its id; it begins now.
[[nodiscard]] results::run_record run_record_of(std::string_view workload, const std::string& command_line,
                                                const results::environment& machine_now);

// What the record of a run says of this machine: capture_environment, and the GEMM kernel with its rate.
[[nodiscard]] results::environment describe_machine();
// What it says of a GPU, or of its stand-in.
[[nodiscard]] results::environment describe_gpu(const target& on);
// Where one rank runs (rank_place.h), and the GPU that it has among those of its machine.
[[nodiscard]] results::environment describe_rank(const target& on, int local_rank);
// What it says where nothing is measured: this machine, and the hardware that is simulated.
[[nodiscard]] results::environment describe_simulation(const target& on);

}  // namespace harness
