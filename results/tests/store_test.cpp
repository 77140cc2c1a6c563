#include "results/store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>

#include "results/tests/scratch.h"

namespace results {
namespace {

using testing::a_point;
using testing::a_run;
using testing::a_time;
using testing::a_workload;
using testing::an_attempt;
using testing::an_environment;
using testing::scratch_folder;

TEST(store, gives_back_what_was_recorded) {
  const scratch_folder folder;
  attempt_record attempt = an_attempt();
  attempt.accuracy["attention_max_error_of_nothing"] = std::numeric_limits<double>::quiet_NaN();
  attempt.accuracy["worst"] = std::numeric_limits<double>::infinity();
  attempt.steps_timeline = {
      {.kind = "attend", .layer = 2, .seats = 4, .stream = "compute", .start_us = 0.125, .end_us = 1.0 / 3},
      {.kind = "fetch", .first_seat = 1, .seats = 2, .stream = "copy", .on_link = true, .end_us = 7}};
  {
    store s = store::open(folder / "r.db");
    EXPECT_EQ(s.begin_run(a_run(), an_environment(), a_workload()), "run-1");
    s.register_point("run-1", a_point("ess"));
    s.register_point("run-1", a_point("all_gpu", "all_gpu"));
    s.record_attempt("run-1", "ess", attempt);
  }
  store s = store::open(folder / "r.db", {.mode = open_mode::read_only});
  const auto run = s.load("run-1");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->run.id, "run-1");
  EXPECT_EQ(run->run.started_at, a_time(0));
  EXPECT_EQ(run->run.command_line, "essbench run quick");
  EXPECT_EQ(run->run.workload_name, "quick");
  EXPECT_EQ(run->run.essbench_version, "0.1.0");
  EXPECT_EQ(run->run.git_revision, "0123456789ab");
  EXPECT_TRUE(run->run.git_dirty);
  EXPECT_EQ(run->env, an_environment());
  EXPECT_EQ(run->workload.hash, "abc123");
  EXPECT_EQ(run->workload.resolved_json, R"({"name":"quick"})");
  ASSERT_EQ(run->points.size(), 2u);
  EXPECT_EQ(run->points[1].point.label, "all_gpu");
  EXPECT_EQ(run->points[1].last(), nullptr);
  const loaded_point& point = run->points[0];
  EXPECT_EQ(point.point.requested, a_point("ess").requested);
  EXPECT_EQ(point.point.effective, a_point("ess").effective);
  EXPECT_EQ(point.point.clock, "wall");
  ASSERT_EQ(point.attempts.size(), 1u);
  const attempt_record& back = point.attempts[0];
  EXPECT_EQ(back.status, attempt_status::ok);
  EXPECT_EQ(back.stop_reason, "max_samples");
  EXPECT_EQ(back.started_at, a_time(1));
  EXPECT_EQ(back.ended_at, a_time(2));
  EXPECT_EQ(back.samples, attempt.samples);
  EXPECT_EQ(back.metrics, attempt.metrics);
  EXPECT_EQ(back.series, attempt.series);
  EXPECT_EQ(back.steps_timeline, attempt.steps_timeline);
  EXPECT_EQ(back.accuracy.at("attention_max_error"), 0.001);
  EXPECT_TRUE(std::isnan(back.accuracy.at("attention_max_error_of_nothing")));
  EXPECT_TRUE(std::isinf(back.accuracy.at("worst")));
  ASSERT_EQ(back.events.size(), 1u);
  EXPECT_EQ(back.events[0].kind, "retry");
  EXPECT_EQ(back.events[0].detail, "first step was slow");
  EXPECT_TRUE(run->events.empty());
}

TEST(store, accepts_every_status) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  s.begin_run(a_run(), an_environment(), a_workload());
  s.register_point("run-1", a_point("ess"));
  for (int i = 0; i < attempt_status_count; ++i) {
    const auto status = static_cast<attempt_status>(i);
    s.record_attempt("run-1", "ess", {.status = status, .reason = "because"});
  }
  const auto attempts = s.load("run-1")->points.at(0).attempts;
  ASSERT_EQ(attempts.size(), static_cast<std::size_t>(attempt_status_count));
  for (int i = 0; i < attempt_status_count; ++i)
    EXPECT_EQ(attempts[i].status, static_cast<attempt_status>(i));
}

TEST(store, an_incorrect_attempt_holds_no_time) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  s.begin_run(a_run(), an_environment(), a_workload());
  s.register_point("run-1", a_point("ess"));
  attempt_record wrong = an_attempt(3, attempt_status::incorrect);
  EXPECT_THROW(s.record_attempt("run-1", "ess", wrong), store_error);
  wrong.samples.clear();
  EXPECT_THROW(s.record_attempt("run-1", "ess", wrong), store_error);
  wrong.metrics.erase("step_time_us");
  wrong.steps_timeline.resize(1);
  EXPECT_THROW(s.record_attempt("run-1", "ess", wrong), store_error);
  wrong.steps_timeline.clear();
  s.record_attempt("run-1", "ess", wrong);
  EXPECT_EQ(s.load("run-1")->points.at(0).attempts.size(), 1u);
}

TEST(store, a_resumed_run_goes_on_where_it_was_left) {
  const scratch_folder folder;
  {
    store s = store::open(folder / "r.db");
    s.begin_run(a_run(), an_environment(), a_workload());
    for (const char* label : {"a", "b", "c", "d"}) s.register_point("run-1", a_point(label));
    s.record_attempt("run-1", "a", an_attempt());
    s.record_attempt("run-1", "b", {.status = attempt_status::out_of_memory});
    s.record_attempt("run-1", "c", {.status = attempt_status::cancelled});
    EXPECT_EQ(s.finished_points("run-1"), (std::set<std::string>{"a", "b"}));
  }
  store s = store::open(folder / "r.db", {.mode = open_mode::existing});
  const auto id = s.latest_run("abc123");
  ASSERT_EQ(id, "run-1");
  s.resume_run(*id, {.at = a_time(60), .kind = "resumed", .detail = "2 of 4 points left"});
  for (const char* label : {"a", "b", "c", "d"}) s.register_point(*id, a_point(label));
  s.record_attempt(*id, "c", an_attempt());
  EXPECT_EQ(s.finished_points(*id), (std::set<std::string>{"a", "b", "c"}));
  const auto run = s.load(*id);
  ASSERT_EQ(run->points.size(), 4u);
  EXPECT_EQ(run->points[2].attempts.size(), 2u);
  EXPECT_EQ(run->points[2].last()->status, attempt_status::ok);
  ASSERT_EQ(run->events.size(), 1u);
  EXPECT_EQ(run->events[0].kind, "resumed");
  EXPECT_EQ(run->events[0].at, a_time(60));
}

TEST(store, the_last_attempt_counts_even_if_it_is_worse) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  s.begin_run(a_run(), an_environment(), a_workload());
  s.register_point("run-1", a_point("ess"));
  s.record_attempt("run-1", "ess", an_attempt());
  s.record_attempt("run-1", "ess", {.status = attempt_status::cancelled});
  EXPECT_TRUE(s.finished_points("run-1").empty());
  EXPECT_EQ(s.load("run-1")->points.at(0).last()->status, attempt_status::cancelled);
}

TEST(store, lists_runs_and_finds_the_latest) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  EXPECT_EQ(s.latest_run(), std::nullopt);
  workload_record other = a_workload();
  other.hash = "def";
  s.begin_run(a_run("one"), an_environment(), a_workload());
  s.begin_run(a_run("two"), an_environment(), other);
  for (const char* label : {"a", "b", "c"}) s.register_point("one", a_point(label));
  s.record_attempt("one", "a", an_attempt());
  s.record_attempt("one", "b", an_attempt());
  EXPECT_EQ(s.latest_run(), "two");
  EXPECT_EQ(s.latest_run("abc123"), "one");
  EXPECT_EQ(s.latest_run("nothing"), std::nullopt);
  const auto runs = s.runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].run.id, "one");
  EXPECT_EQ(runs[0].workload_hash, "abc123");
  EXPECT_EQ(runs[0].points, (std::map<attempt_status, int>{{attempt_status::ok, 2}}));
  EXPECT_EQ(runs[0].untried, 1);
  EXPECT_EQ(runs[1].untried, 0);
}

// The clock was set back between them, which must not send --resume to the older one.
TEST(store, finds_the_run_begun_last_whatever_the_clock_said) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  for (const auto& [id, seconds] : {std::pair("first", 1'000'000'000), std::pair("second", -1'000'000'000)}) {
    run_record run = a_run(id);
    run.started_at = a_time(seconds);
    s.begin_run(run, an_environment(), a_workload());
  }
  EXPECT_EQ(s.latest_run(), "second");
  EXPECT_EQ(s.latest_run("abc123"), "second");
}

TEST(store, attempts_count_in_the_order_of_their_commits_whatever_the_clock_said) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  s.begin_run(a_run(), an_environment(), a_workload());
  s.register_point("run-1", a_point("ess"));
  attempt_record early = an_attempt(), late = an_attempt(2);
  early.started_at = early.ended_at = a_time(1'000'000'000);
  late.started_at = late.ended_at = a_time(-1'000'000'000);
  s.record_attempt("run-1", "ess", early);
  s.record_attempt("run-1", "ess", late);
  EXPECT_EQ(s.load("run-1")->points.at(0).last()->samples.at("step_time_us").size(), 2u);
}

TEST(store, a_run_is_found_by_an_unambiguous_beginning_of_its_id) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  for (const char* id : {"ab", "abc", "ax"}) s.begin_run(a_run(id), an_environment(), a_workload());
  EXPECT_EQ(s.load("ax")->run.id, "ax");
  EXPECT_EQ(s.load("abc")->run.id, "abc");
  EXPECT_EQ(s.load("ab")->run.id, "ab");  // whole, though "abc" begins so too
  EXPECT_FALSE(s.load("a"));
  EXPECT_FALSE(s.load("zz"));
  EXPECT_FALSE(s.load(""));
}

TEST(store, makes_an_id_for_a_run_without_one) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  const std::string id = s.begin_run(a_run(""), an_environment(), a_workload());
  EXPECT_EQ(id.size(), 36u);
  EXPECT_TRUE(s.load(id));
}

TEST(store, unknown_runs_and_points_are_misuse) {
  const scratch_folder folder;
  store s = store::open(folder / "r.db");
  s.begin_run(a_run(), an_environment(), a_workload());
  const auto fault_of = [](auto&& call) -> std::optional<store_fault> {
    try {
      call();
    } catch (const store_error& e) {
      return e.fault();
    }
    return std::nullopt;
  };
  EXPECT_EQ(fault_of([&] { s.register_point("no", a_point("a")); }), store_fault::misuse);
  EXPECT_EQ(fault_of([&] { s.record_attempt("run-1", "no", an_attempt()); }), store_fault::misuse);
  EXPECT_EQ(fault_of([&] { s.begin_run(a_run(), an_environment(), a_workload()); }), store_fault::misuse);
  EXPECT_EQ(fault_of([&] { (void)s.finished_points("no"); }), store_fault::misuse);
  EXPECT_EQ(fault_of([&] { s.resume_run("no", {}); }), store_fault::misuse);
}

// Threads with a store each, on one new file: nothing is lost, nobody fails.
TEST(store, serves_two_writers_at_once) {
  const scratch_folder folder;
  constexpr int points = 20;
  const auto write = [&](const std::string& id) {
    store s = store::open(folder / "r.db");
    s.begin_run(a_run(id), an_environment(), a_workload());
    for (int i = 0; i < points; ++i) {
      s.register_point(id, a_point(std::to_string(i)));
      s.record_attempt(id, std::to_string(i), an_attempt(i));
    }
  };
  std::thread one(write, "one");
  std::thread two(write, "two");
  one.join();
  two.join();
  store s = store::open(folder / "r.db", {.mode = open_mode::existing});
  for (const char* id : {"one", "two"}) {
    const auto run = s.load(id);
    ASSERT_TRUE(run);
    ASSERT_EQ(run->points.size(), static_cast<std::size_t>(points));
    for (int i = 1; i < points; ++i) {
      ASSERT_EQ(run->points[i].attempts.size(), 1u);
      EXPECT_EQ(run->points[i].attempts[0].samples.at("step_time_us").size(), static_cast<std::size_t>(i));
    }
  }
}

TEST(store, serves_two_processes_at_once) {
  const scratch_folder folder;
  const auto write = [&](const std::string& id) {
    store s = store::open(folder / "r.db");
    s.begin_run(a_run(id), an_environment(), a_workload());
    s.register_point(id, a_point("ess"));
    for (int i = 0; i < 10; ++i) s.record_attempt(id, "ess", an_attempt());
  };
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      write("child");
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  write("parent");
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  store s = store::open(folder / "r.db");
  for (const char* id : {"child", "parent"}) EXPECT_EQ(s.load(id)->points.at(0).attempts.size(), 10u) << id;
}

}  // namespace
}  // namespace results
