// No export of a real report is at hand: these are made of the tables and columns that NVIDIA documents.
#include "results/import/nsys.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>
#include <fstream>

#include "results/import/nsys_profile.h"
#include "results/store.h"
#include "results/store_error.h"
#include "results/tests/scratch.h"

namespace results {
namespace {

using testing::a_point;
using testing::a_run;
using testing::a_time;
using testing::a_workload;
using testing::an_attempt;
using testing::an_environment;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::scratch_folder;

namespace fs = std::filesystem;

constexpr const char* tables = R"sql(
CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);
CREATE TABLE NVTX_EVENTS (start INTEGER NOT NULL, end INTEGER, eventType INTEGER NOT NULL, rangeId INTEGER,
  category INTEGER, color INTEGER, text TEXT, globalTid INTEGER, endGlobalTid INTEGER, textId INTEGER,
  domainId INTEGER, uint64Value INTEGER, int64Value INTEGER, doubleValue REAL, uint32Value INTEGER,
  int32Value INTEGER, floatValue REAL, jsonTextId INTEGER, jsonText TEXT, binaryData TEXT);
CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INTEGER NOT NULL, end INTEGER NOT NULL, eventClass INTEGER,
  globalTid INTEGER, correlationId INTEGER, nameId INTEGER NOT NULL, returnValue INTEGER NOT NULL,
  callchainId INTEGER);
CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER NOT NULL, end INTEGER NOT NULL, deviceId INTEGER,
  contextId INTEGER, streamId INTEGER, correlationId INTEGER, globalPid INTEGER, demangledName INTEGER,
  shortName INTEGER, gridX INTEGER, blockX INTEGER, graphNodeId INTEGER);
CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER NOT NULL, end INTEGER NOT NULL, deviceId INTEGER,
  contextId INTEGER, streamId INTEGER, correlationId INTEGER, globalPid INTEGER, bytes INTEGER NOT NULL,
  copyKind INTEGER NOT NULL, srcKind INTEGER, dstKind INTEGER, graphNodeId INTEGER);
INSERT INTO META_DATA_EXPORT VALUES ('EXPORT_PRODUCT_VERSION', '2025.1.1');
INSERT INTO StringIds VALUES (1, 'cudaLaunchKernel'), (2, 'gather_rows'), (3, 'void gather_rows<4>(params)'),
  (4, 'attend_rows');
)sql";

constexpr std::int64_t process = 77LL << 24;
constexpr std::int64_t main_thread = process + 5, helper_thread = process + 6;

// One export, made step by step.
class synthetic {
 public:
  explicit synthetic(const fs::path& file)
      : db_(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    db_.exec(
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");  // a statement a row, else each a wait
    db_.exec(tables);
    domain("essbench", 3, main_thread);
  }

  void domain(const std::string& name, int id, std::int64_t thread) {
    db_.exec(fmt::format(
        "INSERT INTO NVTX_EVENTS (start, eventType, text, globalTid, domainId) VALUES (0, 75, '{}', {}, {})",
        name, thread, id));
  }

  // Names are registered strings, as essbench registers them.
  void range(const std::string& name, int begin, int end, int layer = -1, std::int64_t bytes = 0,
             std::int64_t thread = main_thread, int of_domain = 3) {
    const int text = next_string_++;
    db_.exec(fmt::format("INSERT INTO StringIds VALUES ({}, '{}')", text, name));
    SQLite::Statement row(db_,
                          "INSERT INTO NVTX_EVENTS (start, end, eventType, globalTid, textId, domainId, "
                          "uint64Value, binaryData) VALUES (?, ?, 59, ?, ?, ?, NULL, ?)");
    const std::string data = payload(layer, bytes);
    row.bind(1, begin);
    row.bind(2, end);
    row.bind(3, thread);
    row.bind(4, text);
    row.bind(5, of_domain);
    row.bind(6, data.data(), static_cast<int>(data.size()));
    row.exec();
  }

  void call(int at, int correlation, std::int64_t thread = main_thread) {
    db_.exec(fmt::format("INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES ({}, {}, 0, {}, {}, 1, 0, NULL)", at,
                         at + 1, thread, correlation));
  }
  void kernel(int begin, int end, int correlation, int name = 2, const char* graph_node = "NULL") {
    db_.exec(fmt::format(
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES ({}, {}, 0, 1, 7, {}, {}, 3, {}, 8, 256, {})", begin,
        end, correlation, process, name, graph_node));
  }
  void copy(int begin, int end, int correlation, int kind, std::int64_t bytes) {
    db_.exec(
        fmt::format("INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES ({}, {}, 0, 1, 7, {}, {}, {}, {}, 0, 0, "
                    "NULL)",
                    begin, end, correlation, process, bytes, kind));
  }
  void sql(const std::string& text) { db_.exec(text); }

 private:
  // 32 bytes of Nsight, then layer, rows and bytes.
  static std::string payload(std::int32_t layer, std::int64_t bytes) {
    std::string data(56, '\0');
    const std::int64_t size = 24;
    std::memcpy(data.data() + 16, &size, sizeof size);
    std::memcpy(data.data() + 32, &layer, sizeof layer);
    std::memcpy(data.data() + 48, &bytes, sizeof bytes);
    return data;
  }

  SQLite::Database db_;
  int next_string_ = 100;
};

// Two points; a step with two layers of "fetch", whose kernels run later and on another stream, and a step
// that is a graph.
void fill(synthetic& report) {
  report.range("point ess", 1'000, 9'000);
  report.range("step", 2'000, 5'000);
  report.range("fetch", 2'100, 2'300, 0, 656);
  report.range("fetch", 2'400, 2'700, 1, 1312);
  report.range("attend", 2'800, 2'900, 1);
  report.call(2'200, 1);
  report.call(2'500, 2);
  report.call(2'600, 3);
  report.call(2'850, 4);
  report.kernel(3'000, 4'500, 1);
  report.kernel(4'500, 5'500, 2);
  report.copy(5'500, 6'500, 3, 1, 4096);
  report.kernel(6'500, 8'500, 4, 4);
  report.range("step", 6'000, 7'000);
  report.call(6'100, 5);
  report.kernel(6'200, 6'700, 5, 2, "12");
  report.kernel(6'700, 6'800, 5, 4, "13");
  report.call(8'000, 6);  // after the steps of the point
  report.copy(8'100, 8'200, 6, 2, 100);
  report.range("point all_gpu", 10'000, 12'000);
  report.range("step", 10'500, 11'500);
  report.call(10'600, 7);
  report.kernel(10'700, 10'800, 7, 4);
}

profiled_points join(const fs::path& file) { return join_by_range(read_nsys_export(file)); }

std::string words_of(const profile& of) {
  std::string text;
  for (const profile_line& l : of) {
    text += fmt::format("{} {} {} {}: {} x, cpu {}, gpu {}, {} B\n", l.operation, l.layer,
                        to_string(l.activity), l.name, l.count, l.cpu_us, l.gpu_us, l.bytes);
  }
  return text;
}

TEST(nsys, gives_kernels_and_copies_to_the_innermost_range_that_launched_them) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  fill(report);
  const profiled_points seen = join(folder / "r.sqlite");
  EXPECT_EQ(words_of(seen.by_label.at("ess")),
            "attend 1 range : 1 x, cpu 0.1, gpu 0, 0 B\n"
            "attend 1 kernel attend_rows: 1 x, cpu 0, gpu 2, 0 B\n"
            "fetch 0 range : 1 x, cpu 0.2, gpu 0, 656 B\n"
            "fetch 0 kernel gather_rows: 1 x, cpu 0, gpu 1.5, 0 B\n"
            "fetch 1 range : 1 x, cpu 0.3, gpu 0, 1312 B\n"
            "fetch 1 kernel gather_rows: 1 x, cpu 0, gpu 1, 0 B\n"
            "fetch 1 copy host to device: 1 x, cpu 0, gpu 1, 4096 B\n"
            "point -1 range : 1 x, cpu 8, gpu 0, 0 B\n"
            "point -1 copy device to host: 1 x, cpu 0, gpu 0.1, 100 B\n"
            "step -1 range : 2 x, cpu 4, gpu 0, 0 B\n"
            "step -1 kernel attend_rows: 1 x, cpu 0, gpu 0.1, 0 B\n"
            "step -1 kernel gather_rows: 1 x, cpu 0, gpu 0.5, 0 B\n");
  EXPECT_EQ(seen.by_label.size(), 2u);
  EXPECT_EQ(seen.joined.in_operations, 4);
  EXPECT_EQ(seen.joined.in_steps, 3);
  EXPECT_EQ(seen.joined.of_graphs, 2);
  EXPECT_EQ(seen.joined.in_points, 1);
  EXPECT_EQ(seen.joined.nowhere, 0);
}

TEST(nsys, sums_over_all_ranges_of_a_point_which_come_in_turns) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  for (const int at : {1'000, 3'000, 5'000}) {
    report.range(at == 3'000 ? "point b" : "point a", at, at + 1'000);
    report.range("step", at + 100, at + 200);
    report.call(at + 150, at);
    report.kernel(at + 300, at + 400, at);
  }
  const profiled_points seen = join(folder / "r.sqlite");
  EXPECT_EQ(words_of(seen.by_label.at("a")),
            "point -1 range : 2 x, cpu 2, gpu 0, 0 B\n"
            "step -1 range : 2 x, cpu 0.2, gpu 0, 0 B\n"
            "step -1 kernel gather_rows: 2 x, cpu 0, gpu 0.2, 0 B\n");
}

// The CPU device fetches on a thread of its own.
TEST(nsys, gives_ranges_of_other_threads_to_the_point_of_their_time) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  report.range("point ess", 1'000, 9'000);
  report.range("fetch", 2'000, 3'000, 4, 10, helper_thread);
  report.range("fetch", 9'500, 9'600, 4, 10, helper_thread);
  report.range("fetch", 2'000, 3'000, 4, 10, main_thread + (1 << 24));  // of another process
  report.call(2'100, 1, helper_thread);
  report.kernel(2'200, 2'300, 1);
  const profiled_points seen = join(folder / "r.sqlite");
  EXPECT_EQ(words_of(seen.by_label.at("ess")),
            "fetch 4 range : 1 x, cpu 1, gpu 0, 10 B\n"
            "fetch 4 kernel gather_rows: 1 x, cpu 0, gpu 0.1, 0 B\n"
            "point -1 range : 1 x, cpu 8, gpu 0, 0 B\n");
}

TEST(nsys, counts_what_it_cannot_join) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  fill(report);
  report.kernel(100, 1'100, 99);  // its call was not recorded
  report.call(500, 98);           // before any point
  report.kernel(600, 700, 98);
  report.sql(fmt::format("INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (2200, 2201, 0, {}, 97, 1, 0, NULL)",
                         main_thread + (1 << 24)));
  report.kernel(800, 900, 97);  // a call of another process
  const profiled_points seen = join(folder / "r.sqlite");
  EXPECT_EQ(seen.joined.nowhere, 3);
  EXPECT_EQ(seen.joined.without_call, 2);
  EXPECT_DOUBLE_EQ(seen.joined.nowhere_us, 1.2);
  EXPECT_EQ(seen.joined.in_operations, 4);
  EXPECT_THAT(to_text(seen.joined), HasSubstr("3 in no point (2 of these without the call"));
}

TEST(nsys, leaves_other_domains_alone) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  report.domain("NCCL", 4, main_thread);
  report.domain("essbench", 4, main_thread + (1 << 24));  // numbers of domains are a process's own
  report.range("point ess", 1'000, 9'000);
  report.range("inner", 2'000, 3'000, -1, 0, main_thread, 4);
  report.call(2'500, 1);
  report.kernel(2'600, 2'700, 1);
  EXPECT_EQ(words_of(join(folder / "r.sqlite").by_label.at("ess")),
            "point -1 range : 1 x, cpu 8, gpu 0, 0 B\n"
            "point -1 kernel gather_rows: 1 x, cpu 0, gpu 0.1, 0 B\n");
}

TEST(nsys, gives_whole_graphs_and_memsets_to_the_step) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  report.range("point ess", 1'000, 9'000);
  report.range("step", 2'000, 5'000);
  report.call(2'100, 1);
  report.call(2'200, 2);
  report.sql(
      fmt::format("CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start INTEGER, end INTEGER, "
                  "correlationId INTEGER, globalPid INTEGER, graphId INTEGER);"
                  "INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE VALUES (2500, 4500, 1, {0}, 9);"
                  "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (start INTEGER, end INTEGER, "
                  "correlationId INTEGER, globalPid INTEGER, bytes INTEGER);"
                  "INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (4500, 4600, 2, {0}, 64)",
                  process));
  const profiled_points seen = join(folder / "r.sqlite");
  EXPECT_THAT(words_of(seen.by_label.at("ess")), HasSubstr("step -1 kernel CUDA graph: 1 x, cpu 0, gpu 2"));
  EXPECT_THAT(words_of(seen.by_label.at("ess")), HasSubstr("step -1 copy memset: 1 x, cpu 0, gpu 0.1, 64 B"));
  EXPECT_EQ(seen.joined.of_graphs, 1);
}

// Headers of NVTX without payload schemas give bytes alone.
TEST(nsys, reads_plain_payloads_and_text_that_is_not_registered) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  report.range("point ess", 1'000, 9'000);
  report.sql(
      fmt::format("INSERT INTO NVTX_EVENTS (start, end, eventType, globalTid, text, domainId, "
                  "uint64Value) VALUES (2000, 3000, 59, {}, 'fetch', 3, 656)",
                  main_thread));
  EXPECT_THAT(words_of(join(folder / "r.sqlite").by_label.at("ess")),
              HasSubstr("fetch -1 range : 1 x, cpu 1, gpu 0, 656 B\n"));
}

struct damage {
  const char* name;
  const char* change;
  const char* words;  // of the error; null: it is read all the same
};

class nsys_damage : public ::testing::TestWithParam<damage> {};

TEST_P(nsys_damage, gives_an_error_that_names_it_or_is_harmless) {
  const scratch_folder folder;
  {
    synthetic report(folder / "r.sqlite");
    fill(report);
    report.sql(GetParam().change);
  }
  try {
    const profiled_points seen = join(folder / "r.sqlite");
    EXPECT_EQ(GetParam().words, nullptr);
    EXPECT_FALSE(seen.by_label.empty());
  } catch (const store_error& e) {
    ASSERT_NE(GetParam().words, nullptr) << e.what();
    EXPECT_THAT(e.what(), HasSubstr(GetParam().words));
    EXPECT_EQ(e.file(), folder / "r.sqlite");
  }
}

INSTANTIATE_TEST_SUITE_P(
    all, nsys_damage,
    ::testing::Values(
        damage{"no_ranges", "DROP TABLE NVTX_EVENTS", "it has no table NVTX_EVENTS"},
        damage{"no_strings", "DROP TABLE StringIds", "it has no table StringIds"},
        damage{"no_calls", "DROP TABLE CUPTI_ACTIVITY_KIND_RUNTIME",
               "it has no table CUPTI_ACTIVITY_KIND_RUNTIME"},
        damage{"no_kernels", "DROP TABLE CUPTI_ACTIVITY_KIND_KERNEL", nullptr},
        damage{"no_version", "DROP TABLE META_DATA_EXPORT", nullptr},
        damage{"no_domain_column", "ALTER TABLE NVTX_EVENTS DROP COLUMN domainId",
               "its table NVTX_EVENTS has no column domainId"},
        damage{"no_pid", "ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL DROP COLUMN globalPid",
               "CUPTI_ACTIVITY_KIND_KERNEL has no column globalPid"},
        damage{"no_names", "ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL DROP COLUMN shortName",
               "CUPTI_ACTIVITY_KIND_KERNEL has no column shortName"},
        damage{"no_copy_kind", "ALTER TABLE CUPTI_ACTIVITY_KIND_MEMCPY DROP COLUMN copyKind",
               "CUPTI_ACTIVITY_KIND_MEMCPY has no column copyKind"},
        damage{"no_graph_nodes", "ALTER TABLE CUPTI_ACTIVITY_KIND_KERNEL DROP COLUMN graphNodeId", nullptr},
        damage{"no_payloads", "ALTER TABLE NVTX_EVENTS DROP COLUMN binaryData", nullptr},
        damage{"not_of_essbench", "UPDATE NVTX_EVENTS SET text = 'other' WHERE eventType = 75",
               "no range of the NVTX domain 'essbench'"},
        damage{"open_ranges", "UPDATE NVTX_EVENTS SET end = NULL WHERE eventType = 59 AND start > 1000",
               nullptr},
        damage{"times_run_backwards", "UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET end = start - 1", nullptr},
        damage{"times_overflow",
               "UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET start = -9223372036854775808, end = "
               "9223372036854775807",
               nullptr},
        damage{"endless", "UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET start = 0, end = 9223372036854775807",
               nullptr},
        damage{"bytes_overflow",
               "UPDATE CUPTI_ACTIVITY_KIND_MEMCPY SET bytes = 9223372036854775807, copyKind = 1", nullptr},
        damage{"no_calls_recorded", "DELETE FROM CUPTI_ACTIVITY_KIND_RUNTIME", nullptr},
        damage{"a_call_twice",
               "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME SELECT * FROM CUPTI_ACTIVITY_KIND_RUNTIME", nullptr},
        damage{"words_for_numbers",
               "UPDATE CUPTI_ACTIVITY_KIND_MEMCPY SET bytes = 'many', copyKind = x'00', correlationId = 'c'",
               nullptr},
        damage{"words_for_times", "UPDATE CUPTI_ACTIVITY_KIND_MEMCPY SET start = 'now'", nullptr},
        damage{"ranges_that_cross", "UPDATE NVTX_EVENTS SET end = end + 800 WHERE eventType = 59", nullptr},
        damage{"short_payloads", "UPDATE NVTX_EVENTS SET binaryData = x'00'", nullptr},
        damage{"names_that_are_no_text", "UPDATE StringIds SET value = x'ff00fe' WHERE id = 2", nullptr}),
    [](const auto& of) { return of.param.name; });

TEST(nsys, takes_an_activity_with_two_calls_for_one) {
  const scratch_folder folder;
  synthetic report(folder / "r.sqlite");
  fill(report);
  const std::string once = words_of(join(folder / "r.sqlite").by_label.at("ess"));
  report.sql("INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME SELECT * FROM CUPTI_ACTIVITY_KIND_RUNTIME");
  EXPECT_EQ(words_of(join(folder / "r.sqlite").by_label.at("ess")), once);
}

TEST(nsys, refuses_files_that_are_no_database) {
  const scratch_folder folder;
  std::ofstream(folder / "text.sqlite") << "this is no database, whatever its name says; it is long enough";
  EXPECT_THROW((void)read_nsys_export(folder / "text.sqlite"), store_error);
  EXPECT_THROW((void)read_nsys_export(folder / "absent.sqlite"), store_error);
  EXPECT_THROW((void)read_nsys_export(folder.path()), store_error);
}

// A database with a run of "ess" and "all_gpu", and the report of it.
class nsys_import : public ::testing::Test {
 protected:
  void SetUp() override {
    synthetic report(report_);
    fill(report);
    add_run("run-1", {"ess", "all_gpu"});
  }

  void add_run(const std::string& id, const std::vector<std::string>& labels,
               attempt_status status = attempt_status::ok) {
    store s = store::open(db_);
    s.begin_run(a_run(id), an_environment(), a_workload());
    for (const std::string& label : labels) {
      s.register_point(id, a_point(label));
      s.record_attempt(id, label, an_attempt(status == attempt_status::ok ? 4 : 0, status));
    }
  }
  import_report import(const std::string& run = "") {
    return import_nsys(report_, run, {.into = db_, .essbench_version = "9.9", .at = a_time(100)});
  }

  scratch_folder folder_;
  fs::path report_ = folder_ / "r.sqlite";
  fs::path db_ = folder_ / "all.db";
};

TEST_F(nsys_import, puts_profiles_to_the_last_attempts_once) {
  store::open(db_).record_attempt("run-1", "ess", an_attempt(7));
  const import_report first = import();
  EXPECT_EQ(first.profiles, (import_count{.added = 2}));
  EXPECT_EQ(first.source_version, "Nsight Systems 2025.1.1");
  EXPECT_THAT(first.note, HasSubstr("of 8 kernels and copies, 4 in operations"));
  const auto run = store::open(db_).load("run-1");
  EXPECT_THAT(run->points[0].attempts[0].profiled, IsEmpty());
  EXPECT_EQ(run->points[0].attempts[1].profiled, join(report_).by_label.at("ess"));
  EXPECT_EQ(run->points[1].attempts[0].profiled, join(report_).by_label.at("all_gpu"));
  EXPECT_EQ(import().profiles, (import_count{.there = 2}));
  const auto again = store::open(db_).load("run-1");
  ASSERT_EQ(again->imports.size(), 1u);
  EXPECT_EQ(again->imports[0].kind, "nsys");
  EXPECT_EQ(again->imports[0].file, report_.string());
  EXPECT_EQ(again->imports[0].note, first.note);
}

TEST_F(nsys_import, refuses_another_profile_and_keeps_the_first) {
  import();
  SQLite::Database(report_.string(), SQLite::OPEN_READWRITE).exec("DELETE FROM CUPTI_ACTIVITY_KIND_KERNEL");
  try {
    import();
    FAIL() << "no error";
  } catch (const store_error& e) {
    EXPECT_EQ(e.fault(), store_fault::conflict);
  }
  EXPECT_EQ(store::open(db_).load("run-1")->points[1].last()->profiled.size(), 3u);
}

TEST_F(nsys_import, takes_the_run_that_was_named) {
  add_run("later", {"other"});
  try {
    import("later");
    FAIL() << "no error";
  } catch (const store_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("none of its 2 points was measured in run later"));
    EXPECT_THAT(e.what(), HasSubstr("--run"));
  }
  EXPECT_EQ(import("run-1").profiles.added, 2);
  EXPECT_THROW(import("no such run"), store_error);
}

TEST_F(nsys_import, leaves_out_points_that_the_run_did_not_measure_and_says_so) {
  add_run("half", {"ess"});
  const import_report report = import("half");
  EXPECT_EQ(report.profiles, (import_count{.added = 1}));
  EXPECT_THAT(report.note, HasSubstr("no such point, or more than one: all_gpu"));
}

// A wrong result has no time, not of a profiler either.
TEST_F(nsys_import, gives_no_profile_to_an_incorrect_attempt) {
  {
    store s = store::open(db_);
    attempt_record wrong{.status = attempt_status::incorrect, .reason = "off"};
    s.record_attempt("run-1", "ess", wrong);
  }
  EXPECT_THAT(import().note, HasSubstr("left out"));
  EXPECT_THAT(store::open(db_).load("run-1")->points[0].last()->profiled, IsEmpty());
}

TEST_F(nsys_import, needs_a_database_with_a_run) {
  EXPECT_THROW(import_nsys(report_, "", {.into = folder_ / "absent.db"}), store_error);
  EXPECT_FALSE(fs::exists(folder_ / "absent.db"));
  (void)store::open(folder_ / "empty.db");
  EXPECT_THROW(import_nsys(report_, "", {.into = folder_ / "empty.db"}), store_error);
}

}  // namespace
}  // namespace results
