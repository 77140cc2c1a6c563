#include "harness/gating/program.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

TEST(program, ends_with_a_code_and_last_words) {
  const program_end end = run_program("/bin/sh", {"-c", "echo data; echo alas >&2; exit 7"});
  EXPECT_EQ(end.exit_code, 7);
  EXPECT_EQ(end.last_words, "alas\n");
}

TEST(program, only_the_end_of_much_text_is_kept) {
  const program_end end = run_program("/bin/sh", {"-c", "seq 100000 >&2; echo last >&2"});
  EXPECT_LE(end.last_words.size(), 2000u);
  EXPECT_THAT(end.last_words, HasSubstr("100000\nlast\n"));
}

TEST(program, that_is_not_there_or_is_killed) {
  EXPECT_THROW((void)run_program("/no/such/program", {}), program_error);
  try {
    (void)run_program("/bin/sh", {"-c", "kill -9 $$"});
    FAIL();
  } catch (const program_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("/bin/sh was killed by signal 9"));
  }
}

TEST(program, knows_itself) { EXPECT_THAT(own_program().filename().string(), HasSubstr("gating_tests")); }

}  // namespace
}  // namespace harness
