// Inputs that were worth keeping: what the program once mishandled, and what leads a fuzzer to the reader's
// branches.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "cmake/fuzzing/target.h"

namespace {

std::vector<std::filesystem::path> files_called(const std::string& beginning) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(ESSBENCH_CORPUS)) {
    if (entry.path().filename().string().starts_with(beginning)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(corpus, what_is_right_is_accepted) {
  const auto files = files_called("ok_");
  EXPECT_FALSE(files.empty());
  for (const auto& file : files) EXPECT_TRUE(fuzzing::accepts(content(file))) << file;
}

TEST(corpus, what_is_wrong_is_refused) {
  const auto files = files_called("bad_");
  EXPECT_FALSE(files.empty());
  for (const auto& file : files) EXPECT_FALSE(fuzzing::accepts(content(file))) << file;
}

// Where a file is cut off is where readers read on.
TEST(corpus, beginnings_of_what_is_right_do_no_harm) {
  for (const auto& file : files_called("ok_")) {
    const std::string whole = content(file);
    const std::size_t stride = 1 + whole.size() / 64;
    for (std::size_t size = 0; size < whole.size(); size += stride) {
      (void)fuzzing::accepts(std::string_view(whole).substr(0, size));
    }
  }
}

}  // namespace
