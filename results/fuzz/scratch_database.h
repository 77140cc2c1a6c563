// A database file of the fuzzer's bytes. In memory: SQLite wants files beside the file, and to sync them.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace fuzzing {

class scratch_database {
 public:
  scratch_database(const std::string& name, std::string_view bytes)
      : file_(folder() / (beginning() + name + ".db")) {
    remove();
    if (!bytes.empty()) std::ofstream(file_, std::ios::binary) << bytes;
  }
  scratch_database(const scratch_database&) = delete;
  scratch_database& operator=(const scratch_database&) = delete;
  ~scratch_database() { remove(); }

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  static std::filesystem::path folder() {
    const std::filesystem::path memory = "/dev/shm";
    return std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
  }
  static std::string beginning() { return "essbench-fuzz-" + std::to_string(::getpid()) + "-"; }
  void remove() const {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
      std::filesystem::remove(file_.string() + suffix);
  }

  std::filesystem::path file_;
};

}  // namespace fuzzing
