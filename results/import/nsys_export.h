// An Nsight Systems report exported to SQLite, as far as it is about essbench. Tables and columns are those
// of "SQLite Schema Reference" in NVIDIA's Nsight Systems User Guide. Internal to the import.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "results/profile.h"

namespace results {

// Nanoseconds since the profiler began; begin <= end, neither negative.
struct time_span {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  [[nodiscard]] double us() const { return static_cast<double>(end - begin) * 1e-3; }
};

// A thread is named by Nsight's globalTid, a process by what remains of it without the thread.
[[nodiscard]] inline std::int64_t process_of(std::int64_t thread) { return thread >> 24; }

struct nsys_range {
  std::string name;
  std::int64_t thread = 0;
  time_span time;
  int layer = -1;
  std::int64_t bytes = 0;  // that the program says cross the link
};

struct nsys_activity {
  profiled_activity activity = profiled_activity::kernel;
  std::string name;
  time_span time;
  std::int64_t bytes = 0;
  bool in_graph = false;
  // Of the call that launched it, if that was recorded.
  bool has_call = false;
  std::int64_t call_thread = 0;
  std::int64_t call_begin = 0;
};

struct nsys_export {
  std::string version;  // of Nsight Systems; empty if the file does not say
  std::vector<nsys_range> ranges;
  std::vector<nsys_activity> activities;
  std::int64_t unusable = 0;  // ranges that never ended, and rows whose times are none
};

// The file is only read. Throws store_error for anything but such an export, naming the table or column that
// is missing.
[[nodiscard]] nsys_export read_nsys_export(const std::filesystem::path& file);

}  // namespace results
