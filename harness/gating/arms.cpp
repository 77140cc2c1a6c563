#include "harness/gating/arms.h"

#include <algorithm>

namespace harness {
namespace {

bool same_build(const results::run_record& a, const results::run_record& b) {
  return a.essbench_version == b.essbench_version && a.git_revision == b.git_revision &&
         a.git_dirty == b.git_dirty;
}

}  // namespace

results::arm load_arm(results::store& store, const std::string& workload) {
  std::vector<results::run_summary> runs = store.runs();
  if (runs.empty()) return {};
  const std::string name = workload.empty() ? runs.back().run.workload_name : workload;
  std::erase_if(runs, [&](const auto& r) { return r.run.workload_name != name; });
  results::arm made;
  for (const results::run_summary& r : runs) {
    if (!same_build(r.run, runs.back().run) || r.workload_hash != runs.back().workload_hash) continue;
    if (auto loaded = store.load(r.run.id)) made.push_back(*std::move(loaded));
  }
  return made;
}

}  // namespace harness
