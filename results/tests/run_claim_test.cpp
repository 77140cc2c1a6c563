#include "results/run_claim.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "results/store_error.h"
#include "results/tests/scratch.h"

namespace results {
namespace {

using testing::scratch_folder;

std::string complaint(const std::filesystem::path& database, std::string_view run_id) {
  try {
    const run_claim claim(database, run_id);
  } catch (const store_error& e) {
    EXPECT_EQ(to_string(e.fault()), "busy");
    return e.what();
  }
  return {};
}

TEST(run_claim, excludes_others_from_the_same_run_until_it_ends) {
  const scratch_folder folder;
  {
    const run_claim claim(folder / "r.db", "run-1");
    const std::string said = complaint(folder / "r.db", "run-1");
    EXPECT_THAT(said, ::testing::HasSubstr("another essbench is working on run run-1"));
    EXPECT_THAT(said, ::testing::HasSubstr("without --resume"));
    EXPECT_EQ(complaint(folder / "r.db", "run-2"), "");
    EXPECT_EQ(complaint(folder / "other.db", "run-1"), "");
  }
  EXPECT_EQ(complaint(folder / "r.db", "run-1"), "");
}

TEST(run_claim, ends_with_a_process_that_is_killed) {
  const scratch_folder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const run_claim claim(folder / "r.db", "run-1");
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(complaint(folder / "r.db", "run-1"), "");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(complaint(folder / "r.db", "run-1"), "");
}

TEST(run_claim, says_where_it_cannot_be_noted) {
  const scratch_folder folder;
  EXPECT_THROW(run_claim(folder / "absent/r.db", "run-1"), store_error);
}

}  // namespace
}  // namespace results
