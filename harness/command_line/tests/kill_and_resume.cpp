#include "harness/command_line/tests/kill_and_resume.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <stdexcept>

#include "results/store.h"

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr int most_kills = 3;
constexpr int killed = 128 + SIGKILL;

// What is a time, or made of times, though its unit does not say so.
const std::set<std::string, std::less<>> timely = {"harness_overhead", "link_late_share", "link_proportion",
                                                   "slowest_rank_share"};

constexpr int patience_s = 3;  // of a rank with others

void add_attempt(std::vector<std::string>& lines, const std::string& label,
                 const results::attempt_record& of) {
  lines.push_back(fmt::format("{}: status {}, {}, stopped by {}", label, to_string(of.status), of.reason,
                              of.stop_reason));
  for (const auto& [name, value] : of.metrics) {
    if (results::is_time_unit(value.unit) || timely.contains(name)) continue;
    lines.push_back(fmt::format("{}: {} = {} [{}, {}] of {} {}", label, name, value.median, value.lo,
                                value.hi, value.n, value.unit));
  }
  for (const auto& [name, values] : of.samples)
    lines.push_back(fmt::format("{}: {} x {}", label, values.size(), name));
  for (const auto& [name, value] : of.accuracy)
    lines.push_back(fmt::format("{}: accuracy {} = {}", label, name, value));
  for (const auto& [name, values] : of.series)
    if (name.find("_us") == std::string::npos)
      lines.push_back(fmt::format("{}: {} = {}", label, name, fmt::join(values, " ")));
}

results::loaded_run only_run_in(const fs::path& database) {
  auto store = results::store::open(database, {.mode = results::open_mode::read_only});
  const auto runs = store.runs();
  if (runs.size() != 1)
    throw std::runtime_error(fmt::format("{} runs in {}", runs.size(), database.string()));
  return store.load(runs[0].run.id).value();
}

std::string first_text(const fs::path& database, const char* sql) {
  return SQLite::Database(database.string(), SQLite::OPEN_READWRITE).execAndGet(sql).getString();
}

// What SQLite itself thinks of the file, and attempts without a status, which no reader would show.
void add_faults(const fs::path& database, std::vector<std::string>& found) {
  if (const auto verdict = first_text(database, "PRAGMA integrity_check"); verdict != "ok")
    found.push_back(verdict);
  const auto halves = first_text(database, "SELECT count(*) FROM attempt WHERE status IS NULL");
  if (halves != "0") found.push_back(halves + " attempts without a status");
}

int attempts_in(const fs::path& database) {
  if (!fs::exists(database)) return 0;
  SQLite::Database db(database.string(), SQLite::OPEN_READWRITE);
  return db.tableExists("attempt") ? db.execAndGet("SELECT count(*) FROM attempt").getInt() : 0;
}

void add_missing(const std::vector<std::string>& from, const std::vector<std::string>& in, const char* sign,
                 std::vector<std::string>& into) {
  std::vector<std::string> only;
  std::ranges::set_difference(from, in, std::back_inserter(only));
  for (const std::string& line : only) into.push_back(sign + line);
}

}  // namespace

kill_and_resume::kill_and_resume(fs::path folder, std::string device, unsigned seed, int ranks)
    : folder_(std::move(folder)), device_(std::move(device)), ranks_(ranks), random_(seed) {
  const fs::path database = folder_ / "unbroken.db";
  const auto start = std::chrono::steady_clock::now();
  const finished done = run(database, false);
  unbroken_time_ = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  if (done.code != 0)
    throw std::runtime_error(fmt::format("the unbroken run ended with {}: {}", done.code, done.err));
  const results::loaded_run stored = only_run_in(database);
  truth_ = lines_of(stored);
  points_ = stored.points.size();
}

// Everything of a run that does not depend on when it was made.
std::vector<std::string> kill_and_resume::lines_of(const results::loaded_run& run) const {
  std::vector<std::string> lines = {"workload " + run.workload.hash};
  for (const results::loaded_point& point : run.points) {
    const std::string& label = point.point.label;
    lines.push_back(fmt::format("{}: {} on {}, clock {}, id {}", label, point.point.system,
                                point.point.device, point.point.clock, point.point.identity));
    lines.push_back(fmt::format("{}: asked for {}", label, point.point.requested.dump()));
    lines.push_back(fmt::format("{}: ran with {}", label, point.point.effective.dump()));
    if (ranks_ > 1) {
      if (point.last() != nullptr) add_attempt(lines, label, *point.last());
      continue;
    }
    lines.push_back(fmt::format("{}: {} attempts", label, point.attempts.size()));
    for (const auto& attempt : point.attempts) add_attempt(lines, label, attempt);
  }
  std::ranges::sort(lines);
  return lines;
}

finished kill_and_resume::run(const fs::path& database, bool resume, const disturbance& disturbed) const {
  std::vector<std::string> words = {"run",  ESSBENCH_KILLED_WORKLOAD, "--quiet", "--device", device_,
                                    "--db", database.string()};
  if (resume) words.emplace_back("--resume");
  if (ranks_ == 1) return run_program(words, {}, disturbed);
  words.insert(words.end(), {"--set", "model.preset=tiny_moe"});
  // Where none is lost a busy machine may take its time.
  if (disturbed.rank >= 0) words.insert(words.end(), {"--rank-patience", std::to_string(patience_s)});
  return run_ranks(ranks_, words, disturbed);
}

finished kill_and_resume::run_and_kill(const fs::path& database, bool resume, round_result& result) {
  // Ranks: not while mpirun brings them together, which it may not survive itself.
  const auto all = static_cast<int>(unbroken_time_.count());
  std::uniform_int_distribution<int> moment(ranks_ > 1 ? all / 3 : 1, all);
  disturbance kill{.after = milliseconds(moment(random_)), .signal = SIGKILL};
  if (ranks_ > 1) {
    kill.rank = std::uniform_int_distribution(0, ranks_ - 1)(random_);
    if (std::uniform_int_distribution(0, 2)(random_) == 0) kill.signal = SIGSTOP;
  }
  const auto start = std::chrono::steady_clock::now();
  finished last = run(database, resume, kill);
  const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  if (last.code != 0) {
    ++result.kills;
    result.longest_end = std::max(result.longest_end, took - kill.after);
  }
  return last;
}

kill_and_resume::round_result kill_and_resume::round() {
  round_result result;
  const fs::path database = folder_ / "killed.db";
  for (const char* suffix : {"", "-wal", "-shm", "-claims"}) fs::remove(database.string() + suffix);
  const int kills = std::uniform_int_distribution(1, most_kills)(random_);
  finished last{.code = killed};
  for (int i = 0; i < kills && last.code != 0; ++i) {
    last = run_and_kill(database, i > 0, result);
    if (i == 0) result.points_before = attempts_in(database);
    if (ranks_ == 1 && last.code != 0 && last.code != killed) break;
  }
  if (last.code == killed || (ranks_ > 1 && last.code != 0)) last = run(database, true);
  if (last.code != 0) result.differences.push_back(fmt::format("ended with {}: {}", last.code, last.err));
  add_faults(database, result.differences);
  const auto lines = lines_of(only_run_in(database));
  add_missing(truth_, lines, "- ", result.differences);
  add_missing(lines, truth_, "+ ", result.differences);
  return result;
}
