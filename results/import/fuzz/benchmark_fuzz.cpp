// Google Benchmark's JSON, made a run, shown and stored.
#include "cmake/fuzzing/target.h"
#include "results/export.h"
#include "results/import/benchmark.h"
#include "results/show.h"
#include "results/store.h"

namespace fuzzing {

bool accepts(std::string_view input) try {
  (void)results::looks_like_benchmark(input);
  const results::loaded_run run = results::run_of_benchmark(
      input, "fuzzed.json", [](std::string_view name) { return std::to_string(name.size()); });
  require(!run.points.empty(), "a run of a report has points");
  (void)results::export_json_text(run);
  (void)results::show_run(run);
  auto store = results::store::open(":memory:");
  require(store.add_run(run), "a new run can be added");
  require(store.load(run.run.id).has_value(), "what was added can be read");
  return true;
} catch (const results::bench_error&) {
  return false;
}

}  // namespace fuzzing
