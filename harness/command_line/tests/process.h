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
  std::uint64_t most_file_bytes = 0;  // writes beyond fail; 0: no limit
};

// `environment`: "NAME=value", on top of this process's own.
[[nodiscard]] finished run_program(const std::vector<std::string>& arguments,
                                   const std::vector<std::string>& environment = {},
                                   const disturbance& disturbed = {});
