#include "ess_core/locality/npy.h"

#include "ess_core/locality/tests/random_trace.h"
#include "ess_core/locality/tests/scratch_folder.h"

namespace ess {
namespace {

using testing::HasSubstr;

// As numpy.save writes it: header padded to a multiple of 64.
std::string npy(const std::vector<token_id>& ids, const std::string& shape, int version = 1,
                const std::string& type = "<i4", const std::string& fortran = "False") {
  const std::size_t width = version == 1 ? 2 : 4;
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
  while ((8 + width + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  for (std::size_t i = 0; i < width; ++i) out += static_cast<char>(header.size() >> (8 * i) & 0xff);
  out += header;
  return out.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(token_id));
}

class npy_file : public testing::Test {
 protected:
  [[nodiscard]] trace_result<index_trace> read(const std::string& bytes,
                                               std::optional<token_id> first_token = {}) const {
    write_bytes(folder_ / "a.npy", bytes);
    return read_npy(folder_ / "a.npy", first_token);
  }
  [[nodiscard]] std::string complaint(const std::string& bytes,
                                      std::optional<token_id> first_token = {}) const {
    const auto trace = read(bytes, first_token);
    return trace ? "" : trace.error().what;
  }
  scratch_folder folder_;
};

const std::vector<token_id> eight = {5, 2, 0, -1, 3, 1, 6, 4};

TEST_F(npy_file, of_both_versions_comes_in_sorted) {
  for (const int version : {1, 2}) {
    const auto trace = read(npy(eight, "(2, 2, 2)", version));
    ASSERT_TRUE(trace) << trace.error().what;
    EXPECT_EQ(trace->shape, (trace_shape{.steps = 2, .layers = 2, .top_k = 2, .first_token = 5}));
    EXPECT_EQ(trace->ids, (std::vector<token_id>{2, 5, 0, -1, 1, 3, 4, 6}));
  }
}

TEST_F(npy_file, takes_the_first_token_that_it_is_told) {
  EXPECT_EQ(read(npy(eight, "(2, 2, 2)"), 100)->shape.first_token, 100);
  EXPECT_THAT(complaint(npy(eight, "(2, 2, 2)"), 4), HasSubstr("step 0, layer 0, rank 1: the id is 5"));
}

TEST_F(npy_file, is_equal_to_the_trace_that_it_was_made_of) {
  const index_trace want = random_trace(2, {.steps = 40, .layers = 3, .top_k = 9, .first_token = 70});
  const auto trace = read(npy(want.ids, "(40, 3, 9)", 2), 70);
  ASSERT_TRUE(trace) << trace.error().what;
  EXPECT_EQ(trace->ids, want.ids);
}

TEST_F(npy_file, says_what_is_wrong_with_it) {
  EXPECT_THAT(complaint(npy(eight, "(2, 2, 2)", 1, "<i8")), HasSubstr("int32"));
  EXPECT_THAT(complaint(npy(eight, "(2, 2, 2)", 1, ">i4")), HasSubstr("int32"));
  EXPECT_THAT(complaint(npy(eight, "(2, 2, 2)", 1, "<i4", "True")), HasSubstr("C order"));
  EXPECT_THAT(complaint(npy(eight, "(4, 2)")), HasSubstr("[steps, layers, top-k]"));
  EXPECT_THAT(complaint(npy(eight, "8")), HasSubstr("[steps, layers, top-k]"));
  EXPECT_THAT(complaint(npy(eight, "(2, 0, 2)")), HasSubstr("at least 1"));
  EXPECT_THAT(complaint(npy(eight, "(99999999999, 2, 2)")), HasSubstr("[steps, layers, top-k]"));
  EXPECT_THAT(complaint(npy(eight, "(3, 2, 2)")), HasSubstr("but its shape makes"));
  EXPECT_THAT(complaint(npy(eight, "(2, 2, 2)", 3)), HasSubstr("version 3.0"));
  EXPECT_THAT(complaint("\x93NUMPY"), HasSubstr("truncated within its header"));
  EXPECT_THAT(complaint(npy(eight, "(2, 2, 2)").substr(0, 40)), HasSubstr("truncated within its header"));
  EXPECT_THAT(complaint(std::string(64, 'x')), HasSubstr("not an .npy file"));
  EXPECT_THAT(complaint(npy({5, 5, 0, -1, 3, 1, 6, 4}, "(2, 2, 2)")), HasSubstr("repeats 5"));
}

}  // namespace
}  // namespace ess
