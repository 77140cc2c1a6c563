// What the all-on-device system made of a batch: hidden states and selections after each of its first steps.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "harness/accuracy/step_recorder.h"

namespace harness {

using device_factory = std::function<std::unique_ptr<ess::device>()>;

// Everything that decides a reference run's numbers, on one machine.
struct reference_batch {
  ess::model_dims model;
  std::uint64_t seed = 0;
  std::int32_t query_tokens = 1;
  double mean_kept = 1.0;
  std::int32_t distinct_prompts = 0;
  std::vector<ess::request> requests;
  std::int32_t steps = 0;
};

using reference_run = std::vector<batch_record>;  // by step

// Keeps the runs used last, up to a budget, since many points serve the same batch.
class reference_runs {
 public:
  explicit reference_runs(ess::byte_count budget = {300'000'000}) : budget_(budget) {}

  // Runs what is not kept, on a device of its own. Throws what that device throws.
  [[nodiscard]] std::shared_ptr<const reference_run> get(const reference_batch& batch,
                                                         ess::prefill_source& prefill,
                                                         const device_factory& make_device);
  [[nodiscard]] ess::byte_count kept() const;

 private:
  struct entry {
    reference_batch batch;
    std::shared_ptr<const reference_run> run;
  };
  ess::byte_count budget_;
  std::list<entry> entries_;  // used last first
};

}  // namespace harness
