// Simulated steps of a deployment: those that `essbench run` takes of the same settings.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "harness/capacity/candidate.h"
#include "harness/capacity/layer_shares.h"
#include "harness/execution/attempt.h"

namespace harness {

// Of one GPU.
struct simulated_steps {
  double step_us = 0;  // mean
  double hit_rate = 1;
  double table_stretch = 1;  // how far beyond the largest size that was measured
  std::int64_t device_bytes = 0;
  std::int64_t host_bytes = 0;
};

enum class memory_bound : std::uint8_t { none, device, host };

class step_simulator {
 public:
  // `base`: all that a candidate and its batch leave open. `on` must outlive this.
  step_simulator(const target& on, const workloads::settings& base);

  // Nothing where there are no pools by layer: layer_shares::weights.
  [[nodiscard]] std::optional<workloads::settings> settings_of(const candidate& of);
  // With the largest batch that fits.
  [[nodiscard]] planned_point plan(const workloads::settings& s) const;
  // What a batch of one more would exceed.
  [[nodiscard]] memory_bound bound_of(const planned_point& largest) const;
  // Nothing where a size is too far beyond what the profile was measured at.
  [[nodiscard]] std::optional<simulated_steps> run(workloads::settings s, int batch);
  [[nodiscard]] int runs() const { return runs_; }

 private:
  [[nodiscard]] std::optional<std::string> weights_of(const workloads::settings& s);

  const target& on_;
  workloads::settings base_;
  std::unique_ptr<ess::communicator> alone_ = ess::make_lone_communicator();
  machine machine_{*alone_};
  progress silent_;
  std::map<int, layer_shares> shares_;  // by query tokens of a step
  int runs_ = 0;
};

}  // namespace harness
