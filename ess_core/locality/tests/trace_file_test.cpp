#include "ess_core/locality/trace_file.h"

#include "ess_core/locality/tests/random_trace.h"
#include "ess_core/locality/tests/scratch_folder.h"

namespace ess {
namespace {

using testing::HasSubstr;

class trace_file : public testing::Test {
 protected:
  trace_file() : trace_(random_trace(7, {.steps = 5, .layers = 3, .top_k = 4, .first_token = 50})) {}

  [[nodiscard]] std::string complaint(const std::string& bytes) const {
    write_bytes(folder_ / "bad", bytes);
    const auto read = read_trace(folder_ / "bad");
    return read ? "" : read.error().what;
  }
  [[nodiscard]] std::string good_bytes() const {
    EXPECT_TRUE(write_trace(trace_, folder_ / "good"));
    return bytes_of(folder_ / "good");
  }

  scratch_folder folder_;
  index_trace trace_;
};

TEST_F(trace_file, comes_back_as_it_was_written) {
  const auto sum = write_trace(trace_, folder_ / "t");
  ASSERT_TRUE(sum);
  const auto back = read_trace(folder_ / "t");
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->trace.shape, trace_.shape);
  EXPECT_EQ(back->trace.ids, trace_.ids);
  EXPECT_EQ(back->sha256, *sum);
  const auto header = read_trace_header(folder_ / "t");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->shape, trace_.shape);
  EXPECT_EQ(header->sha256, *sum);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "t.part"));
}

// The format is a contract: these bytes must stay readable. Checksum by sha256sum.
TEST_F(trace_file, has_the_bytes_that_its_header_promises) {
  index_trace tiny({.steps = 1, .layers = 1, .top_k = 2, .first_token = 3});
  tiny.ids = {1, -1};
  const auto sum = write_trace(tiny, folder_ / "t");
  ASSERT_TRUE(sum);
  const std::string bytes = bytes_of(folder_ / "t");
  const char want[] = "ESSTRACE\1\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\1\0\0\0\xff\xff\xff\xff";
  EXPECT_EQ(bytes.substr(0, bytes.size() - 32), std::string(want, sizeof want - 1));
  EXPECT_EQ(*sum, "8bd407f2824c0679e89273703f2ffdb2b0df77cff0fa1e07c41eae72bf3cdc6c");
}

TEST_F(trace_file, cut_anywhere_is_refused) {
  const std::string good = good_bytes();
  EXPECT_THAT(complaint(good.substr(0, 27)), HasSubstr("too short"));
  EXPECT_THAT(complaint(""), HasSubstr("too short"));
  for (std::size_t size = 28; size < good.size(); size += 17) {
    ASSERT_THAT(complaint(good.substr(0, size)), HasSubstr("truncated")) << size;
  }
  EXPECT_THAT(complaint(good + "x"), HasSubstr("1 bytes too many"));
}

TEST_F(trace_file, any_flipped_bit_is_found) {
  const std::string good = good_bytes();
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    ASSERT_NE(complaint(bad), "") << at;
    if (at < 28) continue;
    ASSERT_THAT(complaint(bad), HasSubstr("checksum mismatch")) << at;
  }
}

TEST_F(trace_file, other_versions_and_other_files_are_named) {
  std::string other = good_bytes();
  other[8] = 2;
  EXPECT_THAT(complaint(other), HasSubstr("version 2"));
  EXPECT_THAT(complaint(std::string(100, 'x')), HasSubstr("not a trace file"));
  EXPECT_FALSE(read_trace(folder_ / "none"));
}

TEST_F(trace_file, a_shape_beyond_reason_is_refused_before_memory_is_asked_for) {
  std::string huge = good_bytes();
  huge.replace(12, 16, std::string("\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\0\0\0\0", 16));
  EXPECT_THAT(complaint(huge), HasSubstr("too many"));
}

TEST_F(trace_file, bad_ids_are_found_behind_a_good_checksum) {
  trace_.ids.back() = 1'000'000;
  EXPECT_THAT(complaint(good_bytes()), HasSubstr("step 4, layer 2, rank 3"));
}

TEST_F(trace_file, that_cannot_be_written_leaves_nothing) {
  EXPECT_FALSE(write_trace(trace_, folder_ / "no" / "such" / "folder"));
}

}  // namespace
}  // namespace ess
