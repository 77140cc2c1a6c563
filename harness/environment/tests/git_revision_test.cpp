// The CMake script that asks git at each build, run on checkouts of the test's own.
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "harness/environment/tests/fake_root.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

class git_revision : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("git --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "git is not installed";
  }

  static void shell(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  void make_checkout() const {
    root_.write("checkout/file", "1");
    root_.write("checkout/below/file", "1");
    shell(fmt::format(
        "cd {} && git init -q && git add . && git -c user.name=t -c user.email=t@t commit -q -m x",
        checkout().string()));
  }

  [[nodiscard]] fs::path checkout() const { return root_.path() / "checkout"; }
  [[nodiscard]] fs::path header() const { return root_.path() / "out" / "git_revision.h"; }

  [[nodiscard]] std::string header_for(const fs::path& source) const {
    shell(fmt::format("{} -DSOURCE={} -DOUTPUT={} -P harness/environment/git_revision.cmake", ESSBENCH_CMAKE,
                      source.string(), header().string()));
    std::ifstream file(header());
    return {std::istreambuf_iterator<char>(file), {}};
  }

  fake_root root_;
};

TEST_F(git_revision, is_unknown_outside_a_checkout) {
  root_.write("plain/file", "1");
  const std::string text = header_for(root_.path() / "plain");
  EXPECT_THAT(text, testing::HasSubstr("git_revision[] = \"unknown\""));
  EXPECT_THAT(text, testing::HasSubstr("git_state[] = \"unknown\""));
}

TEST_F(git_revision, is_not_that_of_a_checkout_around_the_sources) {
  make_checkout();
  EXPECT_THAT(header_for(checkout() / "below"), testing::HasSubstr("git_revision[] = \"unknown\""));
}

TEST_F(git_revision, tells_clean_from_dirty) {
  make_checkout();
  const std::string clean = header_for(checkout());
  EXPECT_THAT(clean, testing::ContainsRegex("git_revision\\[\\] = \"[0-9a-f]{40}"));
  EXPECT_THAT(clean, testing::HasSubstr("git_state[] = \"clean\""));
  root_.write("checkout/file", "2");
  EXPECT_THAT(header_for(checkout()), testing::HasSubstr("git_state[] = \"dirty\""));
}

TEST_F(git_revision, does_not_touch_the_header_when_nothing_changed) {
  make_checkout();
  const std::string before = header_for(checkout());
  const auto long_ago = fs::last_write_time(header()) - std::chrono::hours(1);
  fs::last_write_time(header(), long_ago);
  EXPECT_EQ(header_for(checkout()), before);
  EXPECT_EQ(fs::last_write_time(header()), long_ago);
}

}  // namespace
}  // namespace harness
