// `essbench trace` as a script sees it.
#include <nlohmann/json.hpp>

#include "ess_core/locality/miss_curve.h"
#include "ess_core/locality/optimal.h"
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
    EXPECT_TRUE(misses.at(0).at("lru").is_null());
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

}  // namespace
