// Kills essbench in a run, at random moments, resumes until the run is complete, and compares what is stored
// with an unbroken run: the same points, statuses, settings, counters and accuracy figures; times excepted.
//
// What is counted must not depend on time for that, so the workload has a fixed number of steps (min_samples
// = max_samples) and an unpaced link (no point can be noisy).
#pragma once

#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

class kill_and_resume {
 public:
  // Runs it once unbroken. `folder` keeps the databases.
  kill_and_resume(std::filesystem::path folder, std::string device, unsigned seed);

  struct round_result {
    int kills = 0;                         // that came before the run had ended by itself
    int points_before = 0;                 // results that the first kill left
    std::vector<std::string> differences;  // from the unbroken run; empty: none
  };
  [[nodiscard]] round_result round();

  [[nodiscard]] std::chrono::milliseconds unbroken_time() const { return unbroken_time_; }
  [[nodiscard]] std::size_t points() const { return points_; }

 private:
  [[nodiscard]] std::vector<std::string> words(const std::filesystem::path& database, bool resume) const;

  std::filesystem::path folder_;
  std::string device_;
  std::mt19937 random_;
  std::vector<std::string> truth_;  // lines of what a run must be
  std::chrono::milliseconds unbroken_time_{};
  std::size_t points_ = 0;
};
