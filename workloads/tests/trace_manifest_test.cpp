#include "workloads/trace_manifest.h"

#include <fstream>

#include "ess_core/locality/tests/scratch_folder.h"

namespace workloads {
namespace {

using testing::HasSubstr;

const trace_manifest example{
    .header = {.shape = {.steps = 3, .layers = 2, .top_k = 4, .first_token = 9}, .sha256 = "abc"},
    .source = "a test"};

TEST(trace_manifest, comes_back_as_it_was_written) {
  const ess::scratch_folder folder;
  ASSERT_TRUE(write_manifest(folder / "t", example));
  const auto back = read_manifest(folder / "t", example.header);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->value(), example);
}

TEST(trace_manifest, says_how_a_synthetic_trace_was_made) {
  const ess::scratch_folder folder;
  trace_manifest made = example;
  made.synthesis = {.model = "m",
                    .model_sha256 = "0",
                    .seed = ~std::uint64_t{0},
                    .context_tokens = 9,
                    .lead_in_steps = 2,
                    .first_layer = 1,
                    .set = {"a=1", "b=2"}};
  ASSERT_TRUE(write_manifest(folder / "t", made));
  EXPECT_EQ(read_manifest(folder / "t", made.header)->value(), made);
}

TEST(trace_manifest, may_be_missing_but_not_belong_to_another_trace) {
  const ess::scratch_folder folder;
  EXPECT_FALSE(read_manifest(folder / "t", example.header)->has_value());
  ASSERT_TRUE(write_manifest(folder / "t", example));
  ess::trace_header other = example.header;
  other.sha256 = "def";
  EXPECT_THAT(read_manifest(folder / "t", other).error().what, HasSubstr("describes another trace"));
  other = example.header;
  other.shape.first_token = 10;
  EXPECT_FALSE(read_manifest(folder / "t", other));
}

TEST(trace_manifest, that_is_no_manifest_is_an_error) {
  const ess::scratch_folder folder;
  for (const char* text : {"{", "[]", "{\"manifest_version\": 2}", "{\"manifest_version\": 1}"}) {
    ess::write_bytes(folder / "t.json", text);
    EXPECT_FALSE(read_manifest(folder / "t", example.header)) << text;
  }
}

}  // namespace
}  // namespace workloads
