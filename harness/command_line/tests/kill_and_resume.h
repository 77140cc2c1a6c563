// Kills essbench in a run, at random moments, resumes until the run is complete, and compares what is stored
// with an unbroken run: the same points, statuses, settings, counters and accuracy figures; times excepted.
//
// What is counted must not depend on time for that, so the workload has a fixed number of steps (min_samples
// = max_samples) and an unpaced link (no point can be noisy).
//
// Over ranks one of them is killed or stopped, the others must end in time, and of what was cut off only the
// last attempts are compared.
#pragma once

#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "harness/command_line/tests/process.h"
#include "results/record.h"

class kill_and_resume {
 public:
  // Runs it once unbroken. `folder` keeps the databases. ranks > 1: over so many.
  kill_and_resume(std::filesystem::path folder, std::string device, unsigned seed, int ranks = 1);

  struct round_result {
    int kills = 0;                            // that came before the run had ended by itself
    int points_before = 0;                    // results that the first kill left
    std::chrono::milliseconds longest_end{};  // from a kill to the end of the last rank
    std::vector<std::string> differences;     // from the unbroken run; empty: none
  };
  [[nodiscard]] round_result round();

  [[nodiscard]] std::chrono::milliseconds unbroken_time() const { return unbroken_time_; }
  [[nodiscard]] std::size_t points() const { return points_; }

 private:
  [[nodiscard]] finished run(const std::filesystem::path& database, bool resume,
                             const disturbance& disturbed = {}) const;
  // At a random moment; of ranks, a random one. Adds to `result`.
  [[nodiscard]] finished run_and_kill(const std::filesystem::path& database, bool resume,
                                      round_result& result);
  [[nodiscard]] std::vector<std::string> lines_of(const results::loaded_run& run) const;

  std::filesystem::path folder_;
  std::string device_;
  int ranks_;
  std::mt19937 random_;
  std::vector<std::string> truth_;  // lines of what a run must be
  std::chrono::milliseconds unbroken_time_{};
  std::size_t points_ = 0;
};
