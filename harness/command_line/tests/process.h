// Runs the program under test as a user would.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

struct finished {
  int code = -1;  // exit code; 128 + n for signal n
  std::string out;
  std::string err;
};

struct disturbance {
  std::chrono::milliseconds after{};  // 0: none
  int signal = SIGINT;
  int rank = -1;  // of mpirun's children, the one that gets the signal; -1: the program itself
  std::uint64_t most_file_bytes = 0;  // writes beyond fail; 0: no limit
};

// `environment`: "NAME=value", on top of this process's own.
[[nodiscard]] finished run_program(const std::vector<std::string>& arguments,
                                   const std::vector<std::string>& environment = {},
                                   const disturbance& disturbed = {});

// Whether ranks can be started: there is mpirun, and the program has its MPI library beside it.
[[nodiscard]] bool has_ranks();
// The same with `ranks` of them, by mpirun; fit for a container and for fewer cores than ranks.
[[nodiscard]] finished run_ranks(int ranks, const std::vector<std::string>& arguments,
                                 const disturbance& disturbed = {});
// One program for each list of arguments, started together.
[[nodiscard]] finished run_unlike_ranks(const std::vector<std::vector<std::string>>& arguments);
