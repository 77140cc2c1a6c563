// A database file: opened for reading, everything in it read and shown, first what is left if it is damaged;
// then opened for writing, which migrates it, and written to.
#include "cmake/fuzzing/target.h"
#include "results/export.h"
#include "results/fuzz/scratch_database.h"
#include "results/show.h"
#include "results/store.h"

namespace fuzzing {
namespace {

namespace fs = std::filesystem;

void show(const results::loaded_run& run) {
  (void)results::export_json_text(run);
  (void)results::export_csv(run);
  (void)results::show_run(run);
}

void read_all(results::store& store) {
  for (const results::run_summary& summary : store.runs()) {
    if (const auto run = store.load(summary.run.id)) show(*run);
  }
}

bool reads(const fs::path& file) try {
  auto store = results::store::open(file, {.mode = results::open_mode::read_only});
  read_all(store);
  return true;
} catch (const results::store_error&) {
  return false;
}

void salvages(const fs::path& file) try {
  auto store = results::store::open(file, {.mode = results::open_mode::damaged});
  std::vector<std::string> lost;
  if (const auto id = store.latest_run()) {
    if (const auto run = store.salvage(*id, lost)) show(*run);
  }
} catch (const results::store_error&) {
}

results::point_record a_point() {
  return {.identity = "fuzzed",
          .label = "fuzzed",
          .system = "ess",
          .device = "cpu",
          .clock = "wall",
          .requested = results::settings::object(),
          .effective = results::settings::object()};
}

bool writes(const fs::path& file) try {
  auto store = results::store::open(file, {.mode = results::open_mode::existing});
  const std::string id = store.begin_run({.workload_name = "fuzzed"}, results::environment::object(),
                                         {.name = "fuzzed", .hash = "fuzzed", .resolved_json = "{}"});
  store.register_point(id, a_point());
  store.record_attempt(id, "fuzzed", {.metrics = {{"hit_rate", {.median = 0.5, .n = 1}}}});
  const auto run = store.load(id);
  require(run && run->points.size() == 1 && run->points[0].last() != nullptr, "what was written can be read");
  read_all(store);
  return true;
} catch (const results::store_error&) {
  return false;
}

}  // namespace

bool accepts(std::string_view input) {
  const scratch_database database("read", input);
  salvages(database.file());
  const bool read = reads(database.file());
  return writes(database.file()) || read;
}

}  // namespace fuzzing
