#include "workloads/catalog.h"

#include <fstream>

namespace workloads {
namespace {

namespace fs = std::filesystem;

class catalog : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / "essbench_catalog";
    fs::remove_all(root_);
    for (const char* folder : {"a", "b"}) fs::create_directories(root_ / folder);
    write("a/one.json", R"({"name": "one", "systems": ["ess"], "description": "first", "batch": [1, 2]})");
    write("b/one.json", R"({"name": "one", "systems": ["ess"], "description": "hidden"})");
    write("b/two.json", R"({"name": "two", "systems": ["ess"], "kind": "serve"})");
    write("b/bad.json", R"({"name": "bad", "batsch": 1})");
    write("b/notes.txt", "not a workload");
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, const std::string& text) const { std::ofstream(root_ / name) << text; }

  fs::path root_;
};

TEST_F(catalog, lists_by_name_and_the_first_folder_wins) {
  const auto entries = list_workloads({root_ / "a", root_ / "b"});
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "bad");
  EXPECT_EQ(entries[0].fault, "bad.json:1: unknown key 'batsch'; did you mean 'batch'?");
  EXPECT_EQ(entries[1].description, "first");
  EXPECT_EQ(entries[1].points, 2);
  EXPECT_EQ(entries[2].kind, workload_kind::serve);
}

TEST_F(catalog, finds_names_and_paths) {
  const std::vector<fs::path> folders = {root_ / "a", root_ / "b"};
  EXPECT_EQ(find_workload("one", folders).value(), root_ / "a/one.json");
  EXPECT_EQ(find_workload("two", folders).value(), root_ / "b/two.json");
  EXPECT_EQ(find_workload((root_ / "b/one.json").string(), folders).value(), root_ / "b/one.json");
}

TEST_F(catalog, says_what_there_is) {
  const std::vector<fs::path> folders = {root_ / "a", root_ / "b"};
  EXPECT_EQ(to_string(find_workload("onee", folders).error()),
            "onee: no workload of this name, and no such file; did you mean 'one'?");
  EXPECT_EQ(to_string(find_workload("zzzzzz", folders).error()),
            "zzzzzz: no workload of this name, and no such file; there are: bad, one, two");
  EXPECT_EQ(to_string(find_workload("no/such.json", folders).error()), "no/such.json: no such file");
}

TEST(shipped_catalog, every_workload_of_the_source_tree_is_sound) {
  const auto entries = list_workloads();
  EXPECT_GE(entries.size(), 5u);
  for (const catalog_entry& entry : entries) EXPECT_EQ(entry.fault, "") << entry.name;
  EXPECT_TRUE(find_workload("quick").has_value());
}

}  // namespace
}  // namespace workloads
