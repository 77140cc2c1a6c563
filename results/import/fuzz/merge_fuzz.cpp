// A database file, merged into one that holds another run, and once more.
#include "cmake/fuzzing/target.h"
#include "results/fuzz/scratch_database.h"
#include "results/import/merge.h"
#include "results/store.h"

namespace fuzzing {

bool accepts(std::string_view input) {
  const scratch_database source("source", input);
  const scratch_database into("into", {});
  const results::import_options options{.into = into.file(), .essbench_version = "0", .at = {}};
  try {
    (void)results::merge_database(source.file(), options);
    const auto again = results::merge_database(source.file(), options);
    require(again.runs.added + again.points.added + again.attempts.added == 0, "a second merge adds nothing");
  } catch (const results::store_error&) {
    return false;
  }
  auto merged = results::store::open(into.file(), {.mode = results::open_mode::read_only});
  for (const auto& summary : merged.runs()) {
    require(merged.load(summary.run.id).has_value(), "what was merged can be read");
  }
  return true;
}

}  // namespace fuzzing
