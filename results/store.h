// The results database: one SQLite file, in WAL mode, that any number of processes may write to.
//
// Invariants. A commit is a whole attempt: its status is the last thing written, so an attempt that can be
// read is complete. A call that throws has changed nothing. Points and attempts are only ever added; the last
// attempt of a point is the one that counts.
//
// Every function throws store_error and nothing else. A store belongs to one thread at a time; other threads
// open their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "results/record.h"
#include "results/store_error.h"

namespace results {

enum class open_mode : std::uint8_t {
  create,     // for writing; made if there is no such file
  existing,   // for writing; the file must be there
  read_only,  // the file must be there, and of the present schema
  copy_from,  // as read_only, of any schema up to the present; what it holds is not checked
  damaged,    // as read_only, but pages are not checked first: for salvage
};

struct open_options {
  open_mode mode = open_mode::create;
  std::chrono::milliseconds busy_timeout{10'000};  // how long to wait for another writer
};

struct run_summary {
  run_record run;
  std::string workload_hash;
  std::map<attempt_status, int> points;    // by the status of their last attempt
  int untried = 0;                         // points without an attempt
  std::vector<std::string> imported_from;  // files, as they were named
};

enum class load_detail : std::uint8_t {
  everything,
  without_samples,  // the bulk of a large run; medians and intervals are metrics
};

class connection;

class store {
 public:
  [[nodiscard]] static store open(const std::filesystem::path& file, const open_options& options = {});
  store(store&&) noexcept;
  store& operator=(store&&) noexcept;
  ~store();

  [[nodiscard]] const std::filesystem::path& file() const;

  // Returns the run's id, a new one if the record has none.
  std::string begin_run(const run_record& run, const environment& env, const workload_record& workload);
  // Notes in the run's events that it goes on; then register what is missing and record on.
  void resume_run(std::string_view run_id, const event_record& event);
  // Registering a point again changes nothing.
  void register_point(std::string_view run_id, const point_record& point);
  // One transaction. An incorrect attempt with samples, or with a metric in a unit of time, is refused.
  void record_attempt(std::string_view run_id, std::string_view point_identity,
                      const attempt_record& attempt);
  // All of a run from elsewhere, in one transaction. False: a run with its id is there; nothing was changed.
  bool add_run(const loaded_run& all);
  // Of the last attempts of points, by the points' identities, in one transaction. Returns how many were not
  // there; if that is none, `from` is not noted. An attempt that has another profile is a conflict.
  int add_profiles(std::string_view run_id, const std::map<std::string, profile>& seen,
                   const import_record& from);

  // Identities of the points that a resumed run leaves alone (is_finished).
  [[nodiscard]] std::set<std::string> finished_points(std::string_view run_id);
  // By begin, oldest first.
  [[nodiscard]] std::vector<run_summary> runs();
  // The id of the run begun last, of any workload or of the one with this hash; an imported one only if none
  // was begun here.
  [[nodiscard]] std::optional<std::string> latest_run();
  [[nodiscard]] std::optional<std::string> latest_run(std::string_view workload_hash);
  // All of a run, as one consistent picture. nullopt: no such run. An unambiguous beginning of an id is
  // enough.
  [[nodiscard]] std::optional<loaded_run> load(std::string_view run_id,
                                               load_detail detail = load_detail::everything);

  // Of a damaged file: what can be read of a run; `lost` says what cannot. Throws if that is not even the run
  // itself.
  [[nodiscard]] std::optional<loaded_run> salvage(std::string_view run_id, std::vector<std::string>& lost);

 private:
  explicit store(std::unique_ptr<connection> db);

  std::unique_ptr<connection> db_;
};

}  // namespace results
