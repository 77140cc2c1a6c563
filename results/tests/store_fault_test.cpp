// What the world can do to a database: every fault comes out typed, with path, SQLite's words and a hint, and
// the file keeps what was committed.
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>

#include "results/connection.h"
#include "results/store.h"
#include "results/tests/scratch.h"

namespace results {
namespace {

using testing::a_point;
using testing::a_run;
using testing::a_workload;
using testing::an_attempt;
using testing::an_environment;
using testing::scratch_folder;

std::optional<store_error> error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const store_error& e) {
    return e;
  }
  return std::nullopt;
}

void expect_fault(store_fault fault, const std::filesystem::path& file, const std::function<void()>& call) {
  const auto error = error_of(call);
  ASSERT_TRUE(error) << "no error, wanted " << to_string(fault);
  EXPECT_EQ(to_string(error->fault()), to_string(fault)) << error->what();
  EXPECT_EQ(error->file(), file);
  EXPECT_FALSE(error->words().empty());
  EXPECT_THAT(std::string(error->what()), ::testing::HasSubstr(error->words()));
  EXPECT_THAT(std::string(error->what()), ::testing::HasSubstr(std::string(hint_for(fault))));
  EXPECT_THAT(std::string(error->what()), ::testing::HasSubstr(file.string()));
}

void fill(const std::filesystem::path& file, int attempts = 1) {
  store s = store::open(file);
  s.begin_run(a_run(), an_environment(), a_workload());
  s.register_point("run-1", a_point("ess"));
  for (int i = 0; i < attempts; ++i) s.record_attempt("run-1", "ess", an_attempt(400));
}

std::size_t attempts_in(const std::filesystem::path& file) {
  return store::open(file, {.mode = open_mode::existing}).load("run-1")->points.at(0).attempts.size();
}

// File permissions do not bind root; for the lifetime of this object the process is somebody else.
class without_privilege {
 public:
  without_privilege() {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) std::abort();
  }
  ~without_privilege() {
    if (::getuid() == 0 && ::seteuid(0) != 0) std::abort();
  }
  without_privilege(const without_privilege&) = delete;
  without_privilege& operator=(const without_privilege&) = delete;
};

using std::filesystem::perms;
constexpr perms readable_file = perms::owner_read | perms::group_read | perms::others_read;
constexpr perms readable_folder = readable_file | perms::owner_exec | perms::group_exec | perms::others_exec;

TEST(store_fault, words_and_values_match_both_ways) {
  std::set<std::string_view> words;
  for (int i = 0; i < store_fault_count; ++i) {
    const auto fault = static_cast<store_fault>(i);
    words.insert(to_string(fault));
    EXPECT_EQ(parse_store_fault(to_string(fault)), fault);
    EXPECT_FALSE(hint_for(fault).empty());
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(store_fault_count));
  EXPECT_EQ(to_string(store_fault::misuse), "misuse");
  EXPECT_EQ(parse_store_fault("what"), std::nullopt);
}

TEST(store_fault, missing_files_and_folders) {
  const scratch_folder folder;
  for (const open_mode mode : {open_mode::existing, open_mode::read_only}) {
    expect_fault(store_fault::not_found, folder / "no.db",
                 [&] { (void)store::open(folder / "no.db", {.mode = mode}); });
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "no.db"));
  expect_fault(store_fault::cannot_open, folder / "no/r.db", [&] { (void)store::open(folder / "no/r.db"); });
  expect_fault(store_fault::cannot_open, folder.path(), [&] { (void)store::open(folder.path()); });
}

TEST(store_fault, a_file_that_is_no_database) {
  const scratch_folder folder;
  std::ofstream(folder / "notes.txt") << std::string(4096, 'x');
  for (const open_mode mode : {open_mode::create, open_mode::read_only}) {
    expect_fault(store_fault::not_a_database, folder / "notes.txt",
                 [&] { (void)store::open(folder / "notes.txt", {.mode = mode}); });
  }
}

// Page 1, which says whose file it is, is left whole.
TEST(store_fault, a_corrupt_file) {
  const scratch_folder folder;
  fill(folder / "r.db", 20);
  {
    std::fstream file(folder / "r.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(4096 * 8, '\x5a');
  }
  for (const open_mode mode : {open_mode::create, open_mode::read_only}) {
    expect_fault(store_fault::corrupt, folder / "r.db",
                 [&] { (void)store::open(folder / "r.db", {.mode = mode}); });
  }
}

// Page by page overwritten: never more than typed errors, and mostly something is left.
TEST(store_fault, what_a_damaged_file_still_holds_can_be_salvaged) {
  const scratch_folder folder;
  fill(folder / "whole.db", 3);
  const auto pages = std::filesystem::file_size(folder / "whole.db") / 4096;
  int salvaged = 0, attempts = 0, with_losses = 0;
  for (std::size_t page = 1; page < pages; ++page) {
    const auto file = folder / "damaged.db";
    std::filesystem::copy_file(folder / "whole.db", file, std::filesystem::copy_options::overwrite_existing);
    std::fstream(file, std::ios::in | std::ios::out | std::ios::binary)
            .seekp(static_cast<std::streamoff>(page * 4096))
        << std::string(4096, '\x5a');
    std::vector<std::string> lost;
    try {
      store s = store::open(file, {.mode = open_mode::damaged});
      const auto run = s.salvage("run-1", lost);
      if (!run) continue;
      ++salvaged;
      attempts += run->points.empty() ? 0 : static_cast<int>(run->points[0].attempts.size());
      with_losses += lost.empty() ? 0 : 1;
    } catch (const store_error& e) {
      EXPECT_EQ(to_string(e.fault()), "corrupt") << e.what();
    }
  }
  EXPECT_GT(salvaged, static_cast<int>(pages) / 2);
  EXPECT_GT(attempts, 3 * salvaged / 2);
  EXPECT_GT(with_losses, 0);
}

TEST(store_fault, salvage_of_a_whole_file_loses_nothing) {
  const scratch_folder folder;
  fill(folder / "r.db", 3);
  std::vector<std::string> lost;
  store s = store::open(folder / "r.db", {.mode = open_mode::damaged});
  EXPECT_EQ(s.salvage("run-1", lost)->points.at(0).attempts.size(), 3u);
  EXPECT_EQ(s.salvage("run-9", lost).has_value(), false);
  EXPECT_TRUE(lost.empty());
}

TEST(store_fault, a_truncated_file) {
  const scratch_folder folder;
  fill(folder / "r.db", 20);
  std::filesystem::resize_file(folder / "r.db", std::filesystem::file_size(folder / "r.db") / 2);
  expect_fault(store_fault::corrupt, folder / "r.db", [&] { (void)store::open(folder / "r.db"); });
}

TEST(store_fault, a_read_only_file_can_be_read_and_not_written) {
  const scratch_folder folder;
  fill(folder / "r.db");
  std::filesystem::permissions(folder / "r.db", readable_file);
  std::filesystem::permissions(folder.path(), readable_folder);
  const without_privilege here;
  for (const open_mode mode : {open_mode::create, open_mode::existing}) {
    expect_fault(store_fault::read_only, folder / "r.db",
                 [&] { (void)store::open(folder / "r.db", {.mode = mode}); });
  }
  store s = store::open(folder / "r.db", {.mode = open_mode::read_only});
  EXPECT_EQ(s.load("run-1")->points.at(0).attempts.size(), 1u);
}

TEST(store_fault, a_read_only_folder_with_a_writable_file) {
  const scratch_folder folder;
  const std::filesystem::path file = folder / "50% #1?.db";
  fill(file);
  std::filesystem::permissions(file,
                               readable_file | perms::owner_write | perms::group_write | perms::others_write);
  std::filesystem::permissions(folder.path(), readable_folder);
  const without_privilege here;
  expect_fault(store_fault::read_only, file, [&] { (void)store::open(file); });
  expect_fault(store_fault::read_only, folder / "new.db", [&] { (void)store::open(folder / "new.db"); });
  store s = store::open(file, {.mode = open_mode::read_only});
  EXPECT_EQ(s.load("run-1")->points.at(0).attempts.size(), 1u);
}

TEST(store_fault, writing_to_a_store_opened_for_reading) {
  const scratch_folder folder;
  fill(folder / "r.db");
  store s = store::open(folder / "r.db", {.mode = open_mode::read_only});
  expect_fault(store_fault::read_only, folder / "r.db",
               [&] { s.record_attempt("run-1", "ess", an_attempt()); });
}

TEST(store_fault, a_lock_that_another_writer_keeps) {
  const scratch_folder folder;
  fill(folder / "r.db");
  SQLite::Database other((folder / "r.db").string(), SQLite::OPEN_READWRITE);
  const SQLite::Transaction lock(other, SQLite::TransactionBehavior::IMMEDIATE);
  store s = store::open(folder / "r.db", {.busy_timeout = std::chrono::milliseconds(20)});
  expect_fault(store_fault::busy, folder / "r.db", [&] { s.record_attempt("run-1", "ess", an_attempt()); });
  EXPECT_EQ(s.load("run-1")->points.at(0).attempts.size(), 1u);  // readers are not in the way
}

// SQLite's own way to a full disk: every connection opened from here on may have 30 pages and no more.
int limit_pages(sqlite3* db, const char**, const sqlite3_api_routines*) {
  return sqlite3_exec(db, "PRAGMA max_page_count = 30", nullptr, nullptr, nullptr);
}

TEST(store_fault, a_full_disk_loses_only_the_attempt_at_hand) {
  const scratch_folder folder;
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(limit_pages));
  std::size_t recorded = 0;
  {
    store s = store::open(folder / "r.db");
    s.begin_run(a_run(), an_environment(), a_workload());
    s.register_point("run-1", a_point("ess"));
    std::optional<store_error> error;
    while (!error && recorded < 100) {
      error = error_of([&] { s.record_attempt("run-1", "ess", an_attempt(400)); });
      recorded += error ? 0 : 1;
    }
    ASSERT_TRUE(error);
    EXPECT_EQ(to_string(error->fault()), "full") << error->what();
    EXPECT_EQ(s.load("run-1")->points.at(0).attempts.size(), recorded);
    s.record_attempt("run-1", "ess", {.status = attempt_status::error});  // the store is still of use
  }
  sqlite3_reset_auto_extension();
  EXPECT_GT(recorded, 0u);
  EXPECT_EQ(attempts_in(folder / "r.db"), recorded + 1);
}

// The operating system's way: writes fail with EFBIG. In a child, since the limit binds the whole process.
TEST(store_fault, a_file_size_limit_loses_only_the_attempt_at_hand) {
  const scratch_folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(100);
    int recorded = 0;
    try {
      store s = store::open(folder / "r.db");
      s.begin_run(a_run(), an_environment(), a_workload());
      s.register_point("run-1", a_point("ess"));
      for (; recorded < 90; ++recorded) s.record_attempt("run-1", "ess", an_attempt(400));
    } catch (const store_error& e) {
      ::_exit(e.fault() == store_fault::io || e.fault() == store_fault::full ? recorded : 101);
    } catch (...) {
      ::_exit(102);
    }
    ::_exit(103);  // the limit did not bite
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  const int recorded = WEXITSTATUS(status);
  EXPECT_GT(recorded, 0);
  ASSERT_LT(recorded, 90);
  EXPECT_EQ(attempts_in(folder / "r.db"), static_cast<std::size_t>(recorded));
}

// A process that dies with an attempt half written: its rows are in the file's log, its commit is not.
TEST(store_fault, a_process_killed_in_an_attempt_leaves_no_trace_of_it) {
  const scratch_folder folder;
  fill(folder / "r.db");
  const pid_t child = ::fork();
  if (child == 0) {
    connection c(folder / "r.db", {});
    c.db().exec("PRAGMA cache_size = 4");  // spills to the log before the commit
    c.in_transaction("die", [&] {
      c.db().exec("INSERT INTO attempt (point, reason, started_at, ended_at) VALUES (1, '', '', '')");
      for (int i = 0; i < 5000; ++i) {
        c.db().exec("INSERT INTO sample VALUES (2, 'm', " + std::to_string(i) + ", 1.0)");
      }
      ::_exit(0);
    });
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_GT(std::filesystem::file_size(folder / "r.db-wal"), 20'000u);
  EXPECT_EQ(attempts_in(folder / "r.db"), 1u);
  SQLite::Database db((folder / "r.db").string());
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM sample").getInt(), 400);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM attempt").getInt(), 1);
}

// A row that the schema refuses comes after rows that it took: those must go too.
TEST(store_fault, a_refused_row_undoes_the_attempt) {
  const scratch_folder folder;
  fill(folder / "r.db");
  {
    SQLite::Database db((folder / "r.db").string(), SQLite::OPEN_READWRITE);
    db.exec("CREATE UNIQUE INDEX refuse ON attempt (status)");
  }
  store s = store::open(folder / "r.db");
  expect_fault(store_fault::misuse, folder / "r.db", [&] { s.record_attempt("run-1", "ess", an_attempt()); });
  EXPECT_EQ(s.load("run-1")->points.at(0).attempts.size(), 1u);
  SQLite::Database db((folder / "r.db").string());
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM sample").getInt(), 400);
  EXPECT_EQ(db.execAndGet("SELECT count(*) FROM event").getInt(), 1);
}

}  // namespace
}  // namespace results
