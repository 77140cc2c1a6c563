// The program as a script sees it: data on stdout, text on stderr, exit codes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "ess_core/nvtx/nvtx.h"
#include "ess_core/nvtx/testing/recording.h"
#include "harness/command_line/tests/process.h"
#include "harness/command_line/tests/scratch_test.h"

namespace {

using testing::HasSubstr;

class command_line : public scratch_test {
 protected:
  [[nodiscard]] finished run_tiny(std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"run", "tiny", "--db", path("t.db"), "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
};

TEST_F(command_line, lists_the_shipped_workloads) {
  const finished listed = run_program({"list"});
  EXPECT_EQ(listed.code, 0);
  for (const char* name :
       {"quick", "control", "versus_hisparse", "serve_quick", "paper_32k", "paper_128k", "tiny"}) {
    EXPECT_THAT(listed.out, HasSubstr(name));
  }
  EXPECT_GE(nlohmann::json::parse(run_program({"list", "--json"}).out).size(), 5u);
}

TEST_F(command_line, validates_every_shipped_workload) {
  for (const char* name :
       {"quick", "control", "versus_hisparse", "serve_quick", "paper_32k", "paper_128k", "tiny"}) {
    const finished valid = run_program({"validate", name});
    EXPECT_EQ(valid.code, 0) << valid.err;
    EXPECT_THAT(valid.out, HasSubstr("valid"));
  }
}

TEST_F(command_line, plans_are_pure_and_byte_stable) {
  for (const char* name : {"quick", "versus_hisparse", "paper_32k", "paper_128k"}) {
    const finished first = run_program({"plan", name, "--json"});
    EXPECT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(first.out, run_program({"plan", name, "--json"}).out);
    EXPECT_FALSE(nlohmann::json::parse(first.out).at("points").empty());
  }
}

TEST_F(command_line, plans_give_ess_a_larger_batch_in_the_same_budget) {
  const auto plan = nlohmann::json::parse(run_program({"plan", "quick", "--json"}).out);
  std::map<std::string, int> largest;
  for (const auto& point : plan.at("points")) largest[point.at("label")] = point.at("batch_max");
  EXPECT_GE(largest.at("all_gpu"), 4);
  EXPECT_GT(largest.at("ess"), largest.at("all_gpu"));
}

TEST_F(command_line, runs_all_systems_accuracy_first) {
  const finished done = run_tiny({"--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto data = nlohmann::json::parse(done.out);
  ASSERT_EQ(data.at("points").size(), 6u);
  for (const auto& point : data.at("points")) {
    EXPECT_EQ(point.at("status"), "ok") << point.dump();
    EXPECT_FALSE(point.at("accuracy").empty());
    EXPECT_GT(point.at("metrics").at("step_time_us").at("median").get<double>(), 0.0);
    EXPECT_EQ(point.at("clock"), "wall");
  }
}

TEST_F(command_line, shows_exports_and_compares_what_was_stored) {
  ASSERT_EQ(run_tiny().code, 0);
  ASSERT_EQ(run_tiny().code, 0);
  EXPECT_THAT(run_program({"show", "--db", path("t.db")}).out, HasSubstr("layer_stream"));
  EXPECT_THAT(run_program({"show", "--ops", "--db", path("t.db")}).out, HasSubstr("feed_forward"));
  const finished csv = run_program({"export", "--csv", "--db", path("t.db")});
  EXPECT_THAT(csv.out, HasSubstr("step_time_us"));
  const std::string runs = run_program({"show", "--runs", "--db", path("t.db")}).out;
  EXPECT_EQ(std::count(runs.begin(), runs.end(), '\n'), 2);
  const finished compared = run_program({"compare", path("t.db") + ":" + runs.substr(0, 8), path("t.db")});
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_THAT(compared.out, HasSubstr("step_time_us"));
}

TEST_F(command_line, bad_input_says_where_what_and_how_to_mend_it) {
  const std::string typo = file_with("typo.json",
                                     "{\n  \"name\": \"x\", \"description\": \"d\", \"kind\": \"fixed\",\n  "
                                     "\"link\": {\"gather_gbps\": 1}\n}");
  const finished unknown = run_program({"validate", typo});
  EXPECT_EQ(unknown.code, 65);
  EXPECT_THAT(unknown.err, HasSubstr("typo.json:3"));
  EXPECT_THAT(unknown.err, HasSubstr("link.gather_gb_per_s"));

  const finished negative = run_program({"run", "tiny", "--set", "batch=-3", "--db", path("n.db")});
  EXPECT_EQ(negative.code, 64);
  EXPECT_THAT(negative.err, HasSubstr("batch"));
  EXPECT_FALSE(std::filesystem::exists(path("n.db")));

  EXPECT_EQ(run_program({"run", "no_such_workload"}).code, 65);
  EXPECT_EQ(run_program({"run", "tiny", "--system", "magic"}).code, 64);
  EXPECT_EQ(run_program({"run", "tiny", "--device", "tpu"}).code, 64);
  EXPECT_EQ(run_program({"frobnicate"}).code, 64);
  EXPECT_EQ(run_program({}).code, 64);
  EXPECT_EQ(run_program({"--help"}).code, 0);
}

TEST_F(command_line, a_truncated_request_log_names_its_line) {
  const std::string log =
      file_with("log.jsonl",
                "{\"timestamp\": 0, \"input_length\": 100, \"output_length\": 5}\n{\"timestamp\": 10, \"inp");
  const finished cut = run_program({"run", "serve_quick", "--system", "ess", "--set", "model.preset=tiny",
                                    "--set", "requests.max_context_tokens=512", "--set",
                                    "requests.trace=" + log, "--db", path("l.db"), "--quiet"});
  EXPECT_EQ(cut.code, 65);
  EXPECT_THAT(cut.err, HasSubstr("log.jsonl:2"));
  EXPECT_FALSE(std::filesystem::exists(path("l.db")));
}

TEST_F(command_line, databases_that_cannot_be_used_are_named) {
  const std::string text =
      file_with("text.db", "this is no database, whatever its name says; it is long enough");
  const finished foreign = run_program({"show", "--db", text});
  EXPECT_EQ(foreign.code, 65);
  EXPECT_THAT(foreign.err, HasSubstr("text.db"));
  EXPECT_EQ(run_program({"show", "--db", path("absent.db")}).code, 65);
  EXPECT_EQ(run_program({"run", "tiny", "--db", "/proc/essbench.db"}).code, 65);
}

TEST_F(command_line, a_point_that_does_not_fit_is_no_crash) {
  const finished small = run_tiny({"--set", "device_budget_bytes=100000"});
  EXPECT_EQ(small.code, 5);
  EXPECT_THAT(small.out, HasSubstr("out_of_memory"));
}

// What a profiler sees of a run: ranges of points (set-up and each turn), steps and operations, with layer,
// rows and bytes.
TEST_F(command_line, emits_nvtx_ranges_for_points_steps_and_operations) {
  if (!ess::nvtx::built_in) GTEST_SKIP() << "built without NVTX headers (nvtx3/nvToolsExt.h)";
  const auto run = ess::nvtx::run_recorded(
      {ESSBENCH_PROGRAM, "run", "tiny", "--system", "ess", "--quiet", "--db", path("nvtx.db")});
  ASSERT_EQ(run.exit_code, 0);
  std::map<std::string, int> count;
  for (const auto& range : run.ranges) {
    EXPECT_EQ(range.domain, "essbench");
    EXPECT_TRUE(range.closed);
    ++count[range.name];
    if (range.name == "step") {
      EXPECT_EQ(run.ranges[static_cast<std::size_t>(range.parent)].name, "point ess");
    }
    if (range.name == "fetch" && range.payload.contains("rows")) {
      EXPECT_EQ(range.payload.at("bytes"), range.payload.at("rows") * 656);
    }
  }
  EXPECT_GE(count["point ess"], 2);  // set-up and turns
  EXPECT_GT(count["step"], 2);
  EXPECT_EQ(count["feed_forward"] % 3, 0);  // every layer of tiny, every step
  constexpr int reference_steps = 2;        // on the device that holds everything
  EXPECT_EQ(count["fetch"], 3 * (count["step"] - reference_steps));
  EXPECT_EQ(count["fill_pool"], 3);
}

TEST_F(command_line, exports_the_timeline_of_a_step) {
  ASSERT_EQ(run_tiny({"--system", "ess"}).code, 0);
  const finished trace = run_program({"timeline", "--db", path("t.db"), "--point", "ess"});
  EXPECT_EQ(trace.code, 0);
  const auto json = nlohmann::json::parse(trace.out);
  const auto& point = json.at("otherData").at("points").at(0);
  EXPECT_GT(point.at("step_us").get<double>(), point.at("exposed_transfer_us").get<double>());
  EXPECT_GT(json.at("traceEvents").size(), 3u * 10u);
  const finished unknown = run_program({"timeline", "--db", path("t.db"), "--point", "hisparse"});
  EXPECT_EQ(unknown.code, 64);
  EXPECT_THAT(unknown.err, HasSubstr("the run has: ess"));
}

TEST_F(command_line, shows_misses_by_step_and_by_layer) {
  ASSERT_EQ(run_tiny({"--set", "warmup=[\"windows\",\"empty\"]", "--system", "ess"}).code, 0);
  const finished steps = run_program({"show", "--db", path("t.db"), "--first-steps", "3"});
  EXPECT_EQ(steps.code, 0);
  EXPECT_THAT(steps.out, HasSubstr("ess warmup=empty"));
  EXPECT_EQ(std::ranges::count(steps.out, '\n'), 2 + 2 + 2 + 3);
  const finished layers = run_program({"show", "--db", path("t.db"), "--layers"});
  EXPECT_EQ(std::ranges::count(layers.out, '\n'), 2 + 2 + 2 + 3);
}

// Starts the program, interrupts it once it has begun, and lets it end in order.
TEST_F(command_line, an_interrupted_run_keeps_its_place) {
  std::vector<std::string> words = {"run",
                                    "tiny",
                                    "--db",
                                    path("i.db"),
                                    "--quiet",
                                    "--set",
                                    "steps=100000",
                                    "--set",
                                    "measure.max_samples=100000",
                                    "--set",
                                    "measure.min_samples=90000",
                                    "--set",
                                    "context_tokens=128"};
  const finished stopped = run_program(words, {}, {.after = std::chrono::milliseconds(1500)});
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("resume with:"));
  EXPECT_THAT(stopped.err, HasSubstr("--resume"));
  EXPECT_THAT(run_program({"show", "--db", path("i.db")}).out, HasSubstr("cancelled"));
}

}  // namespace
