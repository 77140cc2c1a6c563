// What hangs on an attempt in tables of its own; its events excepted. Internal to the store.
#pragma once

#include <cstdint>

#include "results/connection.h"
#include "results/store.h"

namespace results {

class attempt_parts {
 public:
  // In the order of each table's key, so that nothing is sorted.
  explicit attempt_parts(connection& c);

  void read(std::int64_t attempt, load_detail detail, attempt_record& into);
  [[nodiscard]] profile read_profile(std::int64_t attempt);

 private:
  void read_timeline(std::int64_t attempt, attempt_record& into);
  void read_metrics(std::int64_t attempt, attempt_record& into);
  void read_accuracy(std::int64_t attempt, attempt_record& into);

  connection& c_;
  SQLite::Statement samples_, series_, timeline_, metrics_, accuracy_, profile_;
};

}  // namespace results
