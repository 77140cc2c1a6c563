// `essbench trace` as a script sees it.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/optimal.h"
#include "ess_core/locality/pool_replay.h"
#include "ess_core/locality/tests/random_trace.h"
#include "ess_core/locality/tests/scratch_folder.h"
#include "ess_core/locality/trace_file.h"
#include "harness/command_line/tests/process.h"

namespace {

using testing::HasSubstr;

class trace_command : public testing::Test {
 protected:
  trace_command()
      : trace_(ess::random_trace(4, {.steps = 60, .layers = 2, .top_k = 8, .first_token = 100})),
        file_((folder_ / "a.trace").string()) {
    EXPECT_TRUE(ess::write_trace(trace_, file_));
  }
  [[nodiscard]] std::string save_npy(const std::string& shape) const {
    std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': " + shape + ", }";
    header.resize(117, ' ');
    std::string bytes = "\x93NUMPY\x01";
    bytes += std::string("\0\x76\0", 3) + header + "\n";
    bytes.append(reinterpret_cast<const char*>(trace_.ids.data()), trace_.ids.size() * sizeof(ess::token_id));
    ess::write_bytes(folder_ / "a.npy", bytes);
    return (folder_ / "a.npy").string();
  }

  ess::scratch_folder folder_;
  ess::index_trace trace_;
  std::string file_;
};

TEST_F(trace_command, tells_what_a_file_holds_and_that_it_is_valid) {
  const finished info = run_program({"trace", "info", file_, "--json"});
  ASSERT_EQ(info.code, 0) << info.err;
  const auto data = nlohmann::json::parse(info.out);
  EXPECT_EQ(data.at("steps"), 60);
  EXPECT_EQ(data.at("first_token"), 100);
  const finished valid = run_program({"trace", "validate", file_});
  EXPECT_EQ(valid.code, 0) << valid.err;
  EXPECT_THAT(valid.out, HasSubstr("valid, 960 ids"));
}

TEST_F(trace_command, bad_files_are_bad_data_and_bad_options_usage) {
  const std::string bytes = ess::bytes_of(file_);
  ess::write_bytes(folder_ / "cut", bytes.substr(0, 500));
  const finished cut = run_program({"trace", "validate", (folder_ / "cut").string()});
  EXPECT_EQ(cut.code, 65);
  EXPECT_THAT(cut.err, HasSubstr("truncated"));
  EXPECT_EQ(cut.out, "");
  EXPECT_EQ(run_program({"trace", "info", (folder_ / "none").string()}).code, 65);
  EXPECT_EQ(run_program({"trace"}).code, 64);
  EXPECT_EQ(run_program({"trace", "curve", file_, "--ratio", "1.5"}).code, 64);
  EXPECT_EQ(run_program({"trace", "curve", file_, "--mtp", "5"}).code, 64);
  EXPECT_EQ(run_program({"trace", "curve", file_, "--skip", "60"}).code, 64);
}

TEST_F(trace_command, imports_an_array_and_leaves_a_manifest) {
  const std::string out = (folder_ / "b.trace").string();
  const finished import =
      run_program({"trace", "import", save_npy("(60, 2, 8)"), "--out", out, "--first-token", "100"});
  ASSERT_EQ(import.code, 0) << import.err;
  EXPECT_EQ(ess::bytes_of(out), ess::bytes_of(file_));
  EXPECT_THAT(run_program({"trace", "info", out}).out, HasSubstr("imported from"));
  ess::write_bytes(out + ".json", "{}");
  EXPECT_EQ(run_program({"trace", "validate", out}).code, 65);
  EXPECT_EQ(run_program({"trace", "import", save_npy("(61, 2, 8)"), "--out", out}).code, 65);
}

TEST_F(trace_command, prints_the_curves_of_the_library) {
  const finished done = run_program(
      {"trace", "curve", file_, "--mtp", "2", "--skip", "5", "--ratio", "0.01", "0.3", "1", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto data = nlohmann::json::parse(done.out);
  const ess::replay_options options{.query_tokens = 2, .skip_steps = 5};
  double sum = 0.0;
  for (std::int32_t layer = 0; layer < 2; ++layer) {
    const auto& misses = data.at("layers").at(static_cast<std::size_t>(layer)).at("misses");
    EXPECT_TRUE(misses.at(0).at("optimal").is_null());  // two rows cannot hold a step
    const auto staged = ess::replay_misses(trace_, layer, ess::pool_kind::lru, 2, options);
    EXPECT_DOUBLE_EQ(misses.at(0).at("lru"), static_cast<double>(staged) / 25);
    const double lru = static_cast<double>(ess::lru_miss_curve(trace_, layer, options).misses(48)) / 25;
    const double optimal = static_cast<double>(ess::optimal_misses(trace_, layer, 48, options)) / 25;
    EXPECT_EQ(misses.at(1).at("pool_rows"), 48);
    EXPECT_DOUBLE_EQ(misses.at(1).at("lru"), lru);
    EXPECT_DOUBLE_EQ(misses.at(1).at("optimal"), optimal);
    sum += lru;
  }
  EXPECT_NEAR(data.at("mean").at("misses").at(1).at("lru").get<double>(), sum / 2, 1e-9);
  EXPECT_THAT(run_program({"trace", "curve", file_}).out, HasSubstr("ratio 0.2"));
}

TEST_F(trace_command, replays_any_policy_at_any_number_of_rows) {
  const finished done =
      run_program({"trace", "curve", file_, "--rows", "40", "70", "--policy", "sieve,optimal,fifo", "--csv"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.out,
              testing::StartsWith("layer,step_overlap,asked,sparse_ratio,pool_rows,policy,misses\n0,"));
  const double fifo = static_cast<double>(ess::replay_misses(trace_, 1, ess::pool_kind::fifo, 70)) / 60;
  EXPECT_THAT(done.out, HasSubstr(fmt::format(",,70,fifo,{}\n", fifo)));
  EXPECT_EQ(std::ranges::count(done.out, '\n'), 1 + 3 * 2 * 3);  // heading; layers and mean, pools, policies
  EXPECT_EQ(run_program({"trace", "curve", file_, "--rows", "0"}).code, 64);
  const finished unknown = run_program({"trace", "curve", file_, "--policy", "mru"});
  EXPECT_EQ(unknown.code, 64);
  EXPECT_THAT(unknown.err, HasSubstr("--policy mru: must be one of lru"));
  const finished scores = run_program({"trace", "curve", file_, "--policy", "lru,score_aware"});
  EXPECT_EQ(scores.code, 64);
  EXPECT_THAT(scores.err, HasSubstr("needs the indexer's scores"));
}

TEST_F(trace_command, splits_rows_over_layers) {
  const finished done = run_program({"trace", "curve", file_, "--split", "0.3", "--skip", "10", "--json"});
  ASSERT_EQ(done.code, 0) << done.err;
  const auto data = nlohmann::json::parse(done.out);
  double weights = 0.0;
  std::int64_t rows = 0;
  for (const auto& layer : data.at("layers")) {
    weights += layer.at("weight").get<double>();
    rows += layer.at("pool_rows").get<std::int64_t>();
  }
  EXPECT_NEAR(weights, 2.0, 1e-12);
  EXPECT_EQ(rows, 2 * data.at("pool_rows").get<std::int64_t>());
  EXPECT_LE(data.at("misses_split").get<double>(), data.at("misses_uniform").get<double>());
  const finished text = run_program({"trace", "curve", file_, "--split", "0.3", "--skip", "10"});
  EXPECT_THAT(text.out, HasSubstr("\npool_weights " + data.at("pool_weights").get<std::string>() + "\n"));
  EXPECT_EQ(run_program({"trace", "curve", file_, "--split", "0.3", "--ratio", "0.2"}).code, 64);
  EXPECT_EQ(run_program({"trace", "curve", file_, "--split", "0.3", "--csv"}).code, 64);
  const finished few = run_program({"trace", "curve", file_, "--split", "0.01"});
  EXPECT_EQ(few.code, 64);
  EXPECT_THAT(few.err, HasSubstr("largest steps need"));
}

class trace_synth : public testing::Test {
 protected:
  [[nodiscard]] finished synth(std::vector<std::string> more, const std::string& name = "s.trace") const {
    std::vector<std::string> all = {"trace", "synth", "deepseek_v3_2", "--out", (folder_ / name).string()};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  }
  [[nodiscard]] std::string complaint(const std::vector<std::string>& more, int code = 64) const {
    const finished done = synth(more);
    EXPECT_EQ(done.code, code) << done.err;
    EXPECT_EQ(done.out, "");
    return done.err;
  }

  ess::scratch_folder folder_;
  const std::vector<std::string> small_ = {"--top-k", "256", "--context", "4096",
                                           "--steps", "40",  "--layers",  "3-6"};
};

TEST_F(trace_synth, makes_a_valid_trace_that_says_how_to_make_it_again) {
  auto arguments = small_;
  arguments.insert(arguments.end(), {"--seed", "7", "--set", "overlap=0.5", "--set", "sinks=2"});
  const finished first = synth(arguments);
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(synth(arguments, "again").code, 0);
  EXPECT_EQ(ess::bytes_of(folder_ / "s.trace"), ess::bytes_of(folder_ / "again"));
  EXPECT_EQ(run_program({"trace", "validate", (folder_ / "s.trace").string()}).code, 0);
  const finished info = run_program({"trace", "info", (folder_ / "s.trace").string(), "--json"});
  const auto data = nlohmann::json::parse(info.out);
  EXPECT_THAT(data.at("source"), HasSubstr("arXiv 2512.10576"));
  EXPECT_EQ(data.at("steps"), 40 + 17);
  EXPECT_EQ(data.at("first_token"), 4096 - 17);
  const auto& made = data.at("synthesis");
  EXPECT_EQ(made.at("model"), "deepseek_v3_2");
  EXPECT_EQ(made.at("seed"), 7);
  EXPECT_EQ(made.at("first_layer"), 3);
  EXPECT_EQ(made.at("lead_in_steps"), 17);
  EXPECT_EQ(made.at("set").at(1), "sinks=2");
  EXPECT_THAT(run_program({"trace", "info", (folder_ / "s.trace").string()}).out,
              HasSubstr("lead_in_steps   17\n"));
}

TEST_F(trace_synth, a_curve_leaves_the_lead_in_uncounted) {
  ASSERT_EQ(synth(small_).code, 0);
  const auto curve = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"trace",    "curve", (folder_ / "s.trace").string(),
                                    "--policy", "lru",   "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return nlohmann::json::parse(run_program(all).out).at("skip_steps").get<int>();
  };
  EXPECT_EQ(curve({}), 17);
  EXPECT_EQ(curve({"--mtp", "2"}), 9);
  EXPECT_EQ(curve({"--skip", "3"}), 3);
  auto cold = small_;
  cold.push_back("--no-lead-in");
  ASSERT_EQ(synth(cold).code, 0);
  EXPECT_EQ(curve({}), 0);
}

TEST_F(trace_synth, is_set_beside_the_published_figures) {
  ASSERT_EQ(synth({"--steps", "64", "--layers", "1-6"}).code, 0);
  const std::string file = (folder_ / "s.trace").string();
  const finished agreed = run_program({"trace", "curve", file, "--published", "deepseek_v3_2"});
  EXPECT_EQ(agreed.code, 0) << agreed.err << agreed.out;
  EXPECT_THAT(agreed.out, HasSubstr("verdict: agrees with the fitted figures"));
  const auto data = nlohmann::json::parse(
      run_program({"trace", "curve", file, "--published", "deepseek_v3_2", "--json"}).out);
  EXPECT_EQ(data.at("query_tokens"), 2);
  EXPECT_EQ(data.at("figures").at(1).at("published").at(0), 62);  // layer 1 of the model
  EXPECT_TRUE(data.at("figures").at(1).at("published").at(2).is_null());
  EXPECT_EQ(data.at("agrees"), true);
  const finished csv = run_program({"trace", "curve", file, "--published", "deepseek_v3_2", "--csv"});
  EXPECT_THAT(csv.out, testing::StartsWith("layer,figure,use,trace,published\n0,overlap,fit,0.7"));
  EXPECT_EQ(run_program({"trace", "curve", file, "--published", "deepseek_v3_2", "--mtp", "1"}).code, 64);
  EXPECT_EQ(run_program({"trace", "curve", file, "--published", "deepseek"}).code, 65);

  ASSERT_EQ(synth({"--steps", "64", "--layers", "1-6", "--set", "misses=1.5"}).code, 0);
  const finished differs = run_program({"trace", "curve", file, "--published", "deepseek_v3_2"});
  EXPECT_EQ(differs.code, 5);
  EXPECT_THAT(differs.out, HasSubstr("verdict: differs from the fitted figures"));

  ASSERT_EQ(synth(small_).code, 0);
  const finished small = run_program({"trace", "curve", file, "--published", "deepseek_v3_2"});
  EXPECT_EQ(small.code, 65);
  EXPECT_THAT(small.err, HasSubstr("the trace has top-k 256"));
}

TEST_F(trace_synth, says_what_it_cannot_make) {
  EXPECT_THAT(complaint({"--set", "overlapp=1"}),
              HasSubstr("--set overlapp=1: unknown name 'overlapp'; did you mean 'overlap'?"));
  EXPECT_THAT(complaint({"--set", "overlap=2"}), HasSubstr("2 is not in [0, 1]"));
  EXPECT_THAT(complaint({"--layers", "5-61"}), HasSubstr("--layers 5-61: must be one of the layers 0 to 60"));
  EXPECT_THAT(complaint({"--layers", "x"}), HasSubstr("--layers x"));
  EXPECT_THAT(complaint({"--top-k", "20"}), HasSubstr("top-k is 20"));
  EXPECT_THAT(complaint({"--context", "0"}), HasSubstr("--context"));
  EXPECT_THAT(complaint({"--context", "1"}), HasSubstr("must be at least 2"));
  EXPECT_THAT(complaint({"--steps", "2000000000"}), HasSubstr("too many"));
  EXPECT_EQ(run_program({"trace", "synth", "deepseek_v3", "--out", "x"}).code, 65);
  EXPECT_THAT(run_program({"trace", "synth", "deepseek_v3", "--out", "x"}).err,
              HasSubstr("did you mean 'deepseek_v3_2'?"));
  ess::write_bytes(folder_ / "bad.json", R"({"name": "bad"})");
  const finished bad = run_program({"trace", "synth", (folder_ / "bad.json").string(), "--out", "x"});
  EXPECT_EQ(bad.code, 65);
  EXPECT_THAT(bad.err, HasSubstr("bad.json:1: missing key 'source'"));
  EXPECT_EQ(synth({"--layers", "0", "--steps", "1"}, "no/such/folder").code, 65);
}

TEST_F(trace_command, records_what_a_workloads_indexer_selects) {
  const std::string file = (folder_ / "recorded.trace").string();
  const finished made = run_program({"trace", "record", "tiny", "--steps", "12", "--out", file, "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  const auto json = nlohmann::json::parse(made.out);
  EXPECT_EQ(json.at("steps"), 12);
  EXPECT_EQ(json.at("layers"), 3);
  EXPECT_THAT(json.at("source").get<std::string>(), HasSubstr("indexer of tiny"));
  EXPECT_EQ(run_program({"trace", "validate", file}).code, 0);
  EXPECT_EQ(run_program({"trace", "record", "serve_quick", "--out", file}).code, 64);
}

}  // namespace
