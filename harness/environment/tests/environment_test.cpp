#include "harness/environment/environment.h"

#include <nlohmann/json.hpp>

#include "harness/environment/tests/fake_root.h"

namespace harness {
namespace {

using nlohmann::json;

void expect_all_null(const json& part) {
  for (const auto& [key, value] : part.items()) EXPECT_EQ(value, nullptr) << key;
}

TEST(capture_environment, of_an_empty_root_is_null_throughout_but_knows_the_build) {
  const fake_root root;
  const json environment = capture_environment(root.path());
  expect_all_null(environment["cpu"]);
  expect_all_null(environment["memory"]);
  expect_all_null(environment["system"]);
  EXPECT_EQ(environment["load"], nullptr);
  EXPECT_EQ(environment["build"]["version"], "0.1.0");
}

TEST(capture_environment, of_a_root_that_does_not_exist_is_no_error) {
  EXPECT_EQ(capture_environment("/nowhere/at/all")["cpu"]["model"], nullptr);
}

TEST(capture_environment, names_every_library_with_a_version) {
  const json libraries = capture_environment()["build"]["libraries"];
  for (const char* name : {"cli11", "fmt", "highway", "libxsmm", "nlohmann_json", "sqlite", "sqlitecpp"}) {
    ASSERT_TRUE(libraries.contains(name)) << name;
    EXPECT_THAT(libraries[name].get<std::string>(), testing::ContainsRegex("^[0-9]+\\.[0-9]+")) << name;
  }
}

TEST(capture_environment, says_how_it_was_built) {
  const json build = capture_environment()["build"];
  EXPECT_FALSE(build["compiler"].get<std::string>().empty());
  EXPECT_FALSE(build["type"].get<std::string>().empty());
  EXPECT_THAT(build["git_revision"].get<std::string>(), testing::MatchesRegex("unknown|[0-9a-f]{40,64}"));
  EXPECT_EQ(build["git_revision"] == "unknown", build["git_dirty"].is_null());
}

TEST(capture_environment, finds_cores_and_memory_of_the_machine_it_runs_on) {
  const json environment = capture_environment();
  EXPECT_GT(environment["cpu"]["logical_cores"].get<int>(), 0);
  EXPECT_GT(environment["cpu"]["usable_cores"].get<int>(), 0);
  EXPECT_GT(environment["memory"]["total_bytes"].get<std::int64_t>(), 0);
}

}  // namespace
}  // namespace harness
