#include "results/store.h"

#include "results/attempt_parts.h"
#include "results/connection.h"
#include "results/reading.h"
#include "results/sql.h"
#include "results/writing.h"

namespace results {
namespace {

// To the point's last attempt. False: it has this one.
bool add_profile(connection& c, std::int64_t point, const profile& seen) {
  static constexpr const char* doing = "add a profile";
  const auto attempt = find_number(
      c.db(), "SELECT number FROM attempt WHERE point = ? AND status IS NOT NULL ORDER BY number DESC",
      point);
  if (!attempt) c.raise(doing, store_fault::misuse, "the point has no attempt");
  const profile there = attempt_parts(c).read_profile(*attempt);
  if (there == seen) return false;
  if (!there.empty()) c.raise(doing, store_fault::conflict, "the attempt has another profile already");
  insert_profile(c, *attempt, seen);
  return true;
}

}  // namespace

store::store(std::unique_ptr<connection> db) : db_(std::move(db)) {}
store::store(store&&) noexcept = default;
store& store::operator=(store&&) noexcept = default;
store::~store() = default;

store store::open(const std::filesystem::path& file, const open_options& options) {
  return store(std::make_unique<connection>(file, options));
}

const std::filesystem::path& store::file() const { return db_->file(); }

std::string store::begin_run(const run_record& run, const environment& env, const workload_record& workload) {
  run_record made = run;
  if (made.id.empty()) made.id = new_run_id();
  db_->in_transaction("begin run", [&] { insert_run(*db_, made, env, workload); });
  return made.id;
}

void store::resume_run(std::string_view run_id, const event_record& event) {
  db_->in_transaction("resume run",
                      [&] { insert_run_event(*db_, number_of_run(*db_, "resume run", run_id), event); });
}

void store::register_point(std::string_view run_id, const point_record& point) {
  db_->in_transaction("register point",
                      [&] { insert_point(*db_, number_of_run(*db_, "register point", run_id), point); });
}

void store::record_attempt(std::string_view run_id, std::string_view point_identity,
                           const attempt_record& attempt) {
  static constexpr const char* doing = "record attempt";
  db_->in_transaction(doing, [&] {
    const std::int64_t run = number_of_run(*db_, doing, run_id);
    insert_attempt(*db_, run, number_of_point(*db_, doing, run, point_identity), attempt);
  });
}

bool store::add_run(const loaded_run& all) {
  static constexpr const char* doing = "add run";
  return db_->in_transaction(doing, [&] {
    if (find_number(db_->db(), "SELECT number FROM run WHERE id = ?", all.run.id)) return false;
    insert_run(*db_, all.run, all.env, all.workload);
    const std::int64_t run = number_of_run(*db_, doing, all.run.id);
    for (const event_record& event : all.events) insert_run_event(*db_, run, event);
    for (const import_record& import : all.imports) insert_import(*db_, run, import);
    for (const loaded_point& point : all.points) {
      insert_point(*db_, run, point.point);
      const std::int64_t number = number_of_point(*db_, doing, run, point.point.identity);
      for (const attempt_record& attempt : point.attempts) insert_attempt(*db_, run, number, attempt);
    }
    return true;
  });
}

int store::add_profiles(std::string_view run_id, const std::map<std::string, profile>& seen,
                        const import_record& from) {
  static constexpr const char* doing = "add profiles";
  return db_->in_transaction(doing, [&] {
    const std::int64_t run = number_of_run(*db_, doing, run_id);
    int added = 0;
    for (const auto& [identity, of] : seen) {
      if (add_profile(*db_, number_of_point(*db_, doing, run, identity), of)) ++added;
    }
    if (added > 0) insert_import(*db_, run, from);
    return added;
  });
}

std::set<std::string> store::finished_points(std::string_view run_id) {
  return db_->guarded("read points", [&] {
    std::set<std::string> finished;
    const std::int64_t run = number_of_run(*db_, "read points", run_id);
    for (const auto& [identity, status] : read_point_statuses(*db_, run)) {
      if (status && is_finished(*status)) finished.insert(identity);
    }
    return finished;
  });
}

std::vector<run_summary> store::runs() {
  return db_->guarded("list runs", [&] { return read_runs(*db_); });
}

std::optional<std::string> store::latest_run() {
  return db_->guarded("find the latest run", [&] { return read_latest_run(*db_, std::nullopt); });
}

std::optional<std::string> store::latest_run(std::string_view workload_hash) {
  return db_->guarded("find the latest run",
                      [&] { return read_latest_run(*db_, std::string(workload_hash)); });
}

std::optional<loaded_run> store::load(std::string_view run_id, load_detail detail) {
  return db_->guarded("load run", [&] { return read_run(*db_, run_id, detail); });
}

std::optional<loaded_run> store::salvage(std::string_view run_id, std::vector<std::string>& lost) {
  return db_->guarded("salvage run", [&] { return read_run(*db_, run_id, load_detail::everything, &lost); });
}

}  // namespace results
