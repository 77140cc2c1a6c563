// The workload files of this folder.
#include <algorithm>
#include <filesystem>

#include "workloads/spec.h"

namespace workloads {
namespace {

std::vector<std::string> shipped() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(ESSBENCH_WORKLOADS_SOURCE_DIR)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  std::ranges::sort(files);
  return files;
}

TEST(shipped_workloads, all_parse_and_resolve_to_themselves) {
  ASSERT_GE(shipped().size(), 5u);
  for (const std::string& file : shipped()) {
    const auto made = load_workload(file);
    ASSERT_TRUE(made.has_value()) << to_string(made.error());
    EXPECT_EQ(made->name, std::filesystem::path(file).stem().string());
    EXPECT_FALSE(made->description.empty());
    const auto again = parse_workload(made->resolved_json, "resolved");
    ASSERT_TRUE(again.has_value()) << to_string(again.error());
    EXPECT_EQ(again->hash, made->hash);
    EXPECT_EQ(again->points.size(), made->points.size());
  }
}

workload load(const std::string& name, const spec_options& options = {}) {
  return load_workload(std::filesystem::path(ESSBENCH_WORKLOADS_SOURCE_DIR) / (name + ".json"), options)
      .value();
}

TEST(shipped_workloads, every_cut_off_file_is_an_error_with_a_line_in_it) {
  for (const std::string& file : shipped()) {
    std::string text = read_text(file).value();
    text.resize(text.find_last_of('}') + 1);
    const int lines = 1 + static_cast<int>(std::ranges::count(text, '\n'));
    for (std::size_t length = 0; length < text.size(); length += 7) {
      const auto made = parse_workload(text.substr(0, length), "cut.json");
      ASSERT_FALSE(made.has_value()) << file << " cut at " << length;
      ASSERT_GE(made.error().line, 1) << to_string(made.error());
      ASSERT_LE(made.error().line, lines) << to_string(made.error());
    }
  }
}

TEST(shipped_workloads, quick_compares_six_systems_and_an_uncapped_point) {
  const workload quick = load("quick");
  ASSERT_EQ(quick.points.size(), 7u);
  EXPECT_EQ(quick.points[1].label, "naive_memcpy");
  EXPECT_EQ(quick.points[1].batch_of->system, system_kind::all_gpu);
  EXPECT_EQ(quick.points[6].label, "uncapped");
  EXPECT_EQ(quick.points[6].batch_of->device_budget_beyond_weights_bytes,
            quick.points[0].requested.device_budget_beyond_weights_bytes);
  EXPECT_EQ(quick.points[6].requested.device_budget_bytes, 0);
}

TEST(shipped_workloads, quick_takes_the_settings_that_people_vary) {
  const workload quick = load("quick", {.set = {"batch=1", "steps=2", "context_tokens=1024", "overlap=none",
                                                "device_budget_bytes=1000000000", "pool_rows=300"}});
  EXPECT_EQ(quick.points.size(), 7u);
  EXPECT_EQ(quick.points[1].requested.batch, batch_choice(1));
}

TEST(shipped_workloads, the_papers_points_carry_the_published_values) {
  const workload paper = load("paper_32k");
  int found = 0;
  for (const published_value& said : paper.published) {
    EXPECT_THAT(said.source, testing::HasSubstr("arXiv 2512.10576"));
    for (const point& p : paper.points) {
      found += selects(said.of, p) && p.requested.batch == batch_choice(said.of.batch.value()) ? 1 : 0;
    }
  }
  EXPECT_EQ(found, static_cast<int>(paper.published.size()));
  EXPECT_EQ(load("paper_128k").published.at(0).value, 2.23);
}

}  // namespace
}  // namespace workloads
