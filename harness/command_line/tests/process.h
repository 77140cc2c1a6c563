// Runs the program under test as a user would.
#pragma once

#include <chrono>
#include <string>
#include <vector>

struct finished {
  int code = -1;  // exit code; 128 + n for signal n
  std::string out;
  std::string err;
};

// `environment`: "NAME=value", on top of this process's own. `interrupt_after`: then it gets one SIGINT; 0:
// none.
[[nodiscard]] finished run_program(const std::vector<std::string>& arguments,
                                   const std::vector<std::string>& environment = {},
                                   std::chrono::milliseconds interrupt_after = {});
