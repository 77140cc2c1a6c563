// `essbench report` as a user calls it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "harness/command_line/tests/process.h"
#include "harness/command_line/tests/scratch_test.h"
#include "results/store.h"

namespace {

using nlohmann::json;
using testing::HasSubstr;

class report_command : public scratch_test {
 protected:
  [[nodiscard]] static std::string text_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Splits a command as a shell would: words, and 'quoted words'.
  [[nodiscard]] static std::vector<std::string> words_of(const std::string& command) {
    std::vector<std::string> words(1);
    bool is_quoted = false;
    for (const char c : command) {
      if (c == '\'') {
        is_quoted = !is_quoted;
      } else if (c == ' ' && !is_quoted) {
        words.emplace_back();
      } else {
        words.back() += c;
      }
    }
    return words;
  }

  [[nodiscard]] static results::loaded_run run_of(const std::string& database) {
    auto store = results::store::open(database, {.mode = results::open_mode::read_only});
    return store.load(*store.latest_run()).value();
  }

  // The data block of the page.
  [[nodiscard]] json data_of(const std::string& database) const {
    const finished made = run_program({"report", database, "--html", path("report.html")});
    EXPECT_EQ(made.code, 0) << made.err;
    const std::string page = text_of(path("report.html"));
    const std::string open = R"(<script type="application/json" id="data">)";
    const std::size_t begin = page.find(open) + open.size();
    return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  }

  // Runs the command that the report gives for each point, and looks for a point with the same settings.
  void expect_repeatable(const std::vector<std::string>& command) {
    std::vector<std::string> words = command;
    words.insert(words.end(), {"--db", path("first.db"), "--quiet"});
    ASSERT_EQ(run_program(words).code, 0);
    const results::loaded_run first = run_of(path("first.db"));
    const json data = data_of(path("first.db"));
    for (std::size_t i = 0; i < first.points.size(); ++i) {
      const json& repeat = data.at("points")[i].at("repeat");
      ASSERT_TRUE(repeat.is_object()) << first.points[i].point.label;
      std::vector<std::string> again = words_of(repeat.at("command"));
      again.erase(again.begin());
      const std::string database = path("again" + std::to_string(i) + ".db");
      again.insert(again.end(), {"--db", database, "--quiet"});
      ASSERT_EQ(run_program(again).code, 0) << repeat.at("command");
      expect_point(run_of(database), repeat, first.points[i]);
    }
  }

  static void expect_point(const results::loaded_run& run, const json& repeat,
                           const results::loaded_point& wanted) {
    const auto at = std::ranges::find_if(
        run.points, [&](const auto& p) { return p.point.label == repeat.at("label").get<std::string>(); });
    ASSERT_NE(at, run.points.end());
    EXPECT_EQ(at->point.requested, wanted.point.requested);
    EXPECT_EQ(at->point.effective, wanted.point.effective);
    EXPECT_EQ(at->point.device, wanted.point.device);
    EXPECT_EQ(repeat.at("also").size() + 1, run.points.size());
  }
};

TEST_F(report_command, commands_repeat_points_of_several_axes) {
  expect_repeatable({"run", "tiny", "--system", "ess", "--system", "all_gpu", "--set", "batch=[1,2]", "--set",
                     "context_tokens=[256,300]", "--set", "seed=7"});
}

TEST_F(report_command, commands_repeat_extra_points_and_simulated_ones) {
  expect_repeatable({"run", "dense_h800", "--device", "sim:h800_ep128", "--set", "steps=4"});
}

TEST_F(report_command, writes_every_form) {
  const std::string database = path("t.db");
  ASSERT_EQ(run_program({"run", "tiny", "--db", database, "--quiet", "--system", "ess"}).code, 0);
  EXPECT_THAT(run_program({"report", database}).out, HasSubstr("### essbench: tiny"));
  EXPECT_THAT(run_program({"report", database, "--csv"}).out, HasSubstr("run,label,system"));
  EXPECT_EQ(json::parse(run_program({"report", database, "--json"}).out).at("points").size(), 1u);
  EXPECT_EQ(data_of(database).at("run").at("workload"), "tiny");
  const finished both = run_program({"report", database, "--html", path("both.html"), "--markdown"});
  EXPECT_THAT(both.out, HasSubstr("### essbench: tiny"));
  EXPECT_TRUE(std::filesystem::exists(path("both.html")));
  EXPECT_EQ(run_program({"report", database, "--html", path("quiet.html")}).out, "");
}

TEST_F(report_command, refuses_what_it_cannot_read_or_write) {
  const std::string database = path("t.db");
  ASSERT_EQ(run_program({"run", "tiny", "--db", database, "--quiet", "--system", "ess"}).code, 0);
  EXPECT_EQ(run_program({"report"}).code, 64);
  EXPECT_EQ(run_program({"report", database, "--csv", "--json"}).code, 64);
  EXPECT_EQ(run_program({"report", path("none.db")}).code, 65);
  const finished no_run = run_program({"report", database + ":nothing"});
  EXPECT_EQ(no_run.code, 65);
  EXPECT_THAT(no_run.err, HasSubstr("show --runs"));
  const finished no_folder = run_program({"report", database, "--html", path("no/such/folder.html")});
  EXPECT_EQ(no_folder.code, 65);
  EXPECT_THAT(no_folder.err, HasSubstr("folder.html"));
}

TEST_F(report_command, refuses_a_curve_that_is_none_and_says_what_writes_one) {
  const std::string database = path("t.db");
  ASSERT_EQ(run_program({"run", "tiny", "--db", database, "--quiet", "--system", "ess"}).code, 0);
  for (const char* text :
       {"", "[]", "{\"mean\": 1}", "{\"mean\": {\"misses\": []}}", "{\"mean\": {\"misses\": [{\"lru\": 1}]}}",
        "{\"mean\": {\"misses\": [{\"pool_rows\": 1, \"lru\": \"x\"}]}}"}) {
    std::ofstream(path("curve.json")) << text;
    const finished refused = run_program({"report", database, "--curve", path("curve.json")});
    EXPECT_EQ(refused.code, 65) << text;
    EXPECT_THAT(refused.err, HasSubstr("trace curve"));
  }
  EXPECT_EQ(run_program({"report", database, "--curve", path("none.json")}).code, 65);
}

TEST_F(report_command, draws_the_curve_of_a_trace) {
  const std::string database = path("t.db");
  ASSERT_EQ(run_program({"run", "tiny", "--db", database, "--quiet", "--system", "ess"}).code, 0);
  ASSERT_EQ(run_program({"trace", "record", "tiny", "--system", "ess", "--out", path("t.trace")}).code, 0);
  const finished curve = run_program({"trace", "curve", path("t.trace"), "--json"});
  ASSERT_EQ(curve.code, 0) << curve.err;
  std::ofstream(path("curve.json")) << curve.out;
  ASSERT_EQ(run_program({"report", database, "--curve", path("curve.json"), "--html", path("c.html")}).code,
            0);
  EXPECT_THAT(text_of(path("c.html")), HasSubstr("\"optimal\":"));
}

TEST_F(report_command, a_damaged_workload_or_command_line_costs_only_the_commands) {
  const std::string database = path("t.db");
  auto store = results::store::open(database);
  const std::string id =
      store.begin_run({.command_line = "essbench run 'unbalanced", .workload_name = "no such"},
                      json::object(), {.name = "no such", .hash = "h", .resolved_json = "{"});
  store.register_point(id, {.identity = "i",
                            .label = "ess",
                            .system = "ess",
                            .device = "cpu",
                            .clock = "wall",
                            .requested = json::object(),
                            .effective = json::object()});
  EXPECT_TRUE(data_of(database).at("points")[0].at("repeat").is_null());
}

TEST_F(report_command, judges_against_a_baseline) {
  for (const char* database : {"before.db", "after.db"})
    ASSERT_EQ(run_program({"run", "tiny", "--system", "ess", "--quiet", "--db", path(database)}).code, 0);
  const finished made = run_program({"report", path("after.db"), "--baseline", path("before.db")});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("Against the baseline"));
  EXPECT_THAT(made.out, HasSubstr("cannot tell"));
  EXPECT_THAT(made.out, HasSubstr("1 block; a verdict takes 6"));
  const finished none = run_program({"report", path("after.db"), "--baseline", path("none.db")});
  EXPECT_EQ(none.code, 65);
  EXPECT_THAT(none.err, HasSubstr("none.db: cannot open: no such file"));
}

}  // namespace
