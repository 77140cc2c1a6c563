#include "workloads/hardware_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "ess_core/base/digest.h"

namespace workloads {
namespace {

using ess::sim::evidence;
using ess::sim::figure_fields;
using ess::sim::hardware;
using ess::sim::table_fields;
using testing::HasSubstr;

// A profile with all figures, one table over two sizes with an extension and one over one size.
std::string small() {
  std::string figures;
  for (const auto& [name, member] : figure_fields()) {
    const double value = name == "gpus_per_node" ? 8 : 0.5;
    figures +=
        fmt::format("{}\n    \"{}\": {{\"value\": {}, \"level\": \"assumed\", \"source\": \"a test\"}}",
                    figures.empty() ? "" : ",", name, value);
  }
  return R"({
  "name": "small", "description": "a small GPU",
  "cluster": {"nodes": 2, "ep": 16},
  "figures": {)" +
         figures + R"(},
  "tables": {
    "dispatch": {
      "level": "measured", "source": "one node", "rows": [[1, 64, 30], [1, 128, 40]],
      "extension": {"level": "derived", "source": "twice", "rows": [[2, 64, 60], [1, 256, 70]]}},
    "index_query": {"level": "published", "source": "a paper", "rows": [[1, 9], [64, 10]]}}
})";
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = small();
  const auto at = text.find(from);
  if (at == text.npos) throw std::logic_error(from);
  return text.replace(at, from.size(), to);
}

std::string complaint_about(const std::string& text) {
  const auto profile = parse_hardware(text, "h.json");
  return profile ? "" : to_string(profile.error());
}

TEST(hardware_profile, is_read_with_its_evidence) {
  const auto profile = parse_hardware(small(), "h.json");
  ASSERT_TRUE(profile) << to_string(profile.error());
  const hardware& read = profile->hardware;
  EXPECT_EQ(read.name, "small");
  EXPECT_EQ(read.description, "a small GPU");
  EXPECT_EQ(read.nodes, 2);
  EXPECT_EQ(read.expert_ranks, 16);
  EXPECT_EQ(read.gpus_per_node, (ess::sim::figure{8, evidence::assumed, "a test"}));
  EXPECT_EQ(profile->sha256, ess::sha256_hex(small()));
  EXPECT_TRUE(read.experts_even.empty());
}

TEST(hardware_profile, tables_are_over_one_size_or_two) {
  const hardware read = parse_hardware(small(), "h.json").value().hardware;
  EXPECT_EQ(read.index_query.level(), evidence::published);
  EXPECT_EQ(read.index_query.source(), "a paper");
  EXPECT_NEAR(read.index_query.at(64).us, 10, 1e-6);
  EXPECT_NEAR(read.dispatch.at(1, 128).us, 40, 1e-6);
}

TEST(hardware_profile, an_extension_adds_to_curves_and_adds_curves) {
  const hardware read = parse_hardware(small(), "h.json").value().hardware;
  EXPECT_EQ(read.dispatch.level(), evidence::measured);
  EXPECT_EQ(read.dispatch.source(), "one node; extended, derived: twice");
  EXPECT_NEAR(read.dispatch.at(2, 64).us, 60, 1e-6);
  EXPECT_NEAR(read.dispatch.at(1, 256).us, 70, 1e-6);
}

TEST(hardware_profile, faults_of_figures_are_named_by_path_and_line) {
  EXPECT_EQ(complaint_about(small()), "");
  EXPECT_EQ(complaint_about(with("\"sms\"", "\"smss\"")),
            "h.json:13: unknown key 'smss' in 'figures'; did you mean 'sms'?");
  EXPECT_EQ(complaint_about(with("\"sms\"", "\"l2_bytes\"")),
            "h.json:14: repeated key 'l2_bytes'; "
            "first given in line 13");
  EXPECT_THAT(complaint_about(with("figures\": {\n", "figures\": {}, \"x\": {")),
              HasSubstr("unknown key 'x'"));
  EXPECT_EQ(complaint_about(with("\"value\": 0.5, ", "")),
            "h.json:5: missing key 'value' in 'figures.memory_bytes'");
  EXPECT_EQ(complaint_about(with("0.5", "0")),
            "h.json:5: 'figures.memory_bytes.value' is 0, but must be above 0");
  EXPECT_EQ(complaint_about(with("0.5", "\"80 GB\"")),
            "h.json:5: 'figures.memory_bytes.value' must be a number, not text \"80 GB\"");
  EXPECT_EQ(complaint_about(with("assumed", "guessed")),
            "h.json:5: 'figures.memory_bytes.level' is \"guessed\", but must be measured, published, derived "
            "or assumed");
  EXPECT_EQ(complaint_about(with("a test", "")), "h.json:5: 'figures.memory_bytes.source' is empty");
}

TEST(hardware_profile, shares_may_be_nothing_but_not_more_than_all) {
  const std::string share = "\"gather_sm_share\": {\"value\": 0.5";
  EXPECT_EQ(complaint_about(with(share, "\"gather_sm_share\": {\"value\": 0")), "");
  EXPECT_THAT(complaint_about(with(share, "\"gather_sm_share\": {\"value\": 1.5")),
              HasSubstr("'figures.gather_sm_share.value' is 1.5, but must be in [0, 1]"));
  const std::string efficiency = "\"gemm_efficiency\": {\"value\": 0.5";
  EXPECT_THAT(complaint_about(with(efficiency, "\"gemm_efficiency\": {\"value\": 0")),
              HasSubstr("but must be in (0, 1]"));
  const std::string imbalance = "\"imbalance\": {\"value\": 0.5";
  EXPECT_EQ(complaint_about(with(imbalance, "\"imbalance\": {\"value\": 0")), "");
  EXPECT_EQ(complaint_about(with(imbalance, "\"imbalance\": {\"value\": 1.2")), "");
}

TEST(hardware_profile, faults_of_tables_are_named_by_path) {
  EXPECT_THAT(complaint_about(with("dispatch", "dispach")),
              HasSubstr("unknown key 'dispach' in 'tables'; did you mean 'dispatch'?"));
  EXPECT_THAT(complaint_about(with("\"source\": \"a paper\", ", "")),
              HasSubstr("missing key 'source' in 'tables.index_query'"));
  EXPECT_THAT(complaint_about(with("[1, 9]", "[1, 2, 9]")),
              HasSubstr("'tables.index_query.rows[0]' must be [query_tokens, us]"));
  EXPECT_THAT(complaint_about(with("[2, 64, 60]", "[64, 60]")),
              HasSubstr("'tables.dispatch.extension.rows[0]' must be [nodes, rank_tokens, us]"));
  EXPECT_THAT(complaint_about(with("[64, 10]", "[64, -1]")),
              HasSubstr("'tables.index_query.rows[1][1]' is -1, but must be above 0"));
  EXPECT_THAT(complaint_about(with("[1, 256, 70]", "[1, 128, 70]")),
              HasSubstr("'tables.dispatch': (1, 128) does not follow 128"));
  EXPECT_THAT(complaint_about(with("[[1, 9], [64, 10]]", "[]")), HasSubstr("is an empty list"));
}

TEST(hardware_profile, faults_of_the_heading_are_named) {
  EXPECT_EQ(complaint_about("[]"), "h.json:1: a hardware profile must be an object");
  EXPECT_EQ(complaint_about("{}"), "h.json:1: missing key 'name'");
  EXPECT_THAT(complaint_about(with("\"ep\": 16", "\"ep\": 17")),
              HasSubstr("h.json:3: 'cluster.ep' is 17, but the nodes have 16 GPUs"));
  EXPECT_THAT(complaint_about(with("\"nodes\": 2", "\"nodes\": 1.5")),
              HasSubstr("'cluster.nodes' is 1.5, but must be a whole number"));
}

TEST(hardware_profile, a_name_may_say_the_expert_ranks) {
  const auto plain = find_profile("h200");
  ASSERT_TRUE(plain) << to_string(plain.error());
  EXPECT_EQ(plain->hardware.name, "h200");
  const auto cluster = find_profile("h200_ep36");
  ASSERT_TRUE(cluster) << to_string(cluster.error());
  EXPECT_EQ(cluster->hardware.name, "h200_ep36");
  EXPECT_EQ(cluster->hardware.expert_ranks, 36);
  EXPECT_EQ(cluster->hardware.nodes, 5);
  EXPECT_EQ(cluster->sha256, plain->sha256);
  EXPECT_EQ(find_profile("h200_ep4")->hardware.nodes, 1);
}

TEST(hardware_profile, names_that_are_not_known_are_answered_by_those_that_are) {
  EXPECT_EQ(to_string(find_profile("h2000_ep32").error()),
            "h2000_ep32: no hardware profile of this name, and no such file; did you mean 'h200'?");
  EXPECT_THAT(to_string(find_profile("tpu").error()), HasSubstr("there are: "));
  EXPECT_EQ(to_string(find_profile("h200_ep0").error()), "h200_ep0: ep is not in [1, 65536]");
  EXPECT_FALSE(find_profile("h200_ep"));
  EXPECT_FALSE(find_profile("./none.json"));
}

TEST(hardware_profile, a_path_is_read_as_it_is) {
  const auto path = std::filesystem::path(testing::TempDir()) / "hardware_ep8.json";
  std::ofstream(path) << small();
  const auto profile = find_profile(path.string());
  ASSERT_TRUE(profile) << to_string(profile.error());
  EXPECT_EQ(profile->hardware.name, "small");
  EXPECT_EQ(profile->hardware.expert_ranks, 16);
}

TEST(hardware_profile, h200_restates_what_was_measured) {
  const hardware read = find_profile("h200").value().hardware;
  EXPECT_EQ(read.memory_gb_per_s.value, 4800);
  EXPECT_NEAR(read.attention_module.at(128, 32768).us, 634.7, 1e-6);
  EXPECT_EQ(read.attention_module.level(), evidence::measured);
  EXPECT_THAT(read.attention_module.source(), HasSubstr("aiconfigurator 095f58a, h200_sxm/sparse_attention"));
  EXPECT_NEAR(read.experts_even.at(8, 128).us, 124.19, 1e-6);
  EXPECT_NEAR(read.dispatch.at(4, 128).us, 144.19, 1e-6);
}

class shipped_profile : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(shipped_profile, says_where_every_number_comes_from) {
  const auto profile = load_hardware(GetParam());
  ASSERT_TRUE(profile) << to_string(profile.error());
  const hardware& read = profile->hardware;
  EXPECT_EQ(read.name, GetParam().stem().string());
  for (const auto& [name, member] : figure_fields()) EXPECT_FALSE((read.*member).source.empty()) << name;
  for (const auto& field : table_fields()) {
    const ess::sim::cost_table& table = read.*field.member;
    EXPECT_TRUE(table.empty() || !table.source().empty()) << field.name;
  }
}

// Measured times are kept with their noise, but a size that takes half the time of a smaller one is a
// mistake.
TEST_P(shipped_profile, has_times_that_do_not_fall_with_the_size) {
  const hardware read = load_hardware(GetParam()).value().hardware;
  for (const auto& field : table_fields()) {
    for (const ess::sim::table_curve& curve : (read.*field.member).curves()) {
      double longest = 0;
      for (const ess::sim::table_point& point : curve.points) {
        EXPECT_GT(point.us, 0.5 * longest) << field.name << " " << curve.x << " " << point.y;
        longest = std::max(longest, point.us);
      }
    }
  }
}

// Rows times the three products of an expert (DeepSeek-V3: 7168 x 2048), and its fp8 weights if chosen at
// all.
TEST_P(shipped_profile, has_experts_within_the_peaks_of_the_gpu) {
  constexpr double weights = 3.0 * 7168 * 2048;
  const hardware read = load_hardware(GetParam()).value().hardware;
  for (const auto* table : {&read.experts_even, &read.experts_skewed, &read.experts_very_skewed}) {
    for (const ess::sim::table_curve& curve : table->curves()) {
      for (const auto& [rows, us] : curve.points) {
        EXPECT_LT(2 * weights * curve.x * rows / us * 1e-6, read.fp8_tflops.value) << curve.x << " " << rows;
        if (table != &read.experts_even || rows < 1) continue;
        EXPECT_LT(weights * curve.x / us * 1e-3, read.memory_gb_per_s.value) << curve.x << " " << rows;
      }
    }
  }
}

std::vector<std::filesystem::path> shipped() {
  std::vector<std::filesystem::path> files;
  const auto folder = std::filesystem::path(ESSBENCH_WORKLOADS_SOURCE_DIR) / "hardware";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

INSTANTIATE_TEST_SUITE_P(all, shipped_profile, testing::ValuesIn(shipped()),
                         [](const auto& tested) { return tested.param.stem().string(); });

}  // namespace
}  // namespace workloads
