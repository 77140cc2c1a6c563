// A run out of a database, as the command line names it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "results/import/source_copy.h"
#include "results/judging/judge.h"
#include "results/store.h"

namespace harness {

// A database to read, whatever its age: one of an older schema is read from a copy that was brought up to
// date, so the file stays as it is.
class reading_store {
 public:
  // Throws store_error.
  [[nodiscard]] static reading_store open(const std::filesystem::path& file);

  [[nodiscard]] results::store& operator*() { return store_; }
  [[nodiscard]] results::store* operator->() { return &store_; }

 private:
  reading_store(std::unique_ptr<results::source_copy> copy, results::store store)
      : copy_(std::move(copy)), store_(std::move(store)) {}

  std::unique_ptr<results::source_copy> copy_;  // null: the file itself
  results::store store_;
};

// `id`: a run's id or its beginning; empty for the latest. Says what is missing and throws `refused`
// otherwise.
[[nodiscard]] results::loaded_run load_run(results::store& store, const std::string& id,
                                           results::load_detail detail = results::load_detail::everything);

// "FILE" or "FILE:RUN": the latest run of a database, or one of it.
[[nodiscard]] results::loaded_run load_named_run(const std::string& name);

// The database of such a name.
[[nodiscard]] std::string database_of(const std::string& name);

// The runs of the last build in a database, of this workload or, if empty, that of the last run
// (harness/gating/arms.h); refused if there is none.
[[nodiscard]] results::arm load_stored_arm(const std::string& database, const std::string& workload);

// In the same database, the latest run of that workload in a like environment (results/matching.h).
[[nodiscard]] std::optional<results::loaded_run> load_latest_like(const std::string& name,
                                                                  std::string_view workload,
                                                                  const results::environment& machine);

}  // namespace harness
