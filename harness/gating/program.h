// Another program, run to its end.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace harness {

class program_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct program_end {
  int exit_code = 0;
  std::string last_words;  // the end of what it wrote to stderr
};

// Its stdout is thrown away. Throws program_error if it cannot be started, or was killed by a signal.
[[nodiscard]] program_end run_program(const std::filesystem::path& program,
                                      const std::vector<std::string>& arguments);

// This very program.
[[nodiscard]] std::filesystem::path own_program();

}  // namespace harness
