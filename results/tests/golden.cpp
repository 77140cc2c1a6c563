#include "results/tests/golden.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace results::testing {

void expect_golden(const std::string& text, const std::string& name) {
  const auto file = std::filesystem::path(__FILE__).parent_path() / "golden" / name;
  if (std::getenv("ESSBENCH_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(file, std::ios::binary) << text;
    ADD_FAILURE() << "wrote " << file << "; read it, then run without ESSBENCH_UPDATE_GOLDEN";
    return;
  }
  std::ifstream in(file, std::ios::binary);
  ASSERT_TRUE(in) << "no file " << file;
  const std::string wanted{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, wanted) << "differs from " << file;
}

}  // namespace results::testing
