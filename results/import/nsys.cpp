#include "results/import/nsys.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/import/nsys_profile.h"
#include "results/store.h"

namespace results {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& file, std::string words, std::string hint) {
  throw store_error({.fault = store_fault::misuse,
                     .file = file,
                     .doing = "import",
                     .words = std::move(words),
                     .hint = std::move(hint)});
}

loaded_run run_in(store& into, const std::string& run_id) {
  const auto wanted = run_id.empty() ? into.latest_run() : std::optional(run_id);
  auto run = wanted ? into.load(*wanted, load_detail::without_samples) : std::nullopt;
  if (run) return *std::move(run);
  refuse(into.file(), wanted ? fmt::format("it holds no run '{}'", *wanted) : "it holds no run",
         "run the workload under the profiler with --db, as ci/nsight does, and import into that database");
}

// Null: no point, or more than one, has the label; or its last attempt may not hold times.
const loaded_point* point_of(const loaded_run& run, const std::string& label) {
  const loaded_point* found = nullptr;
  for (const loaded_point& point : run.points) {
    if (point.point.label != label) continue;
    if (found != nullptr) return nullptr;
    found = &point;
  }
  const bool may_hold_times =
      found != nullptr && found->last() != nullptr && found->last()->status != attempt_status::incorrect;
  return may_hold_times ? found : nullptr;
}

struct chosen {
  std::map<std::string, profile> by_identity;
  std::vector<std::string> left_out;  // labels
};

chosen choose(const loaded_run& run, profiled_points& seen) {
  chosen made;
  for (auto& [label, lines] : seen.by_label) {
    const loaded_point* point = point_of(run, label);
    if (point == nullptr) {
      made.left_out.push_back(label);
    } else {
      made.by_identity.emplace(point->point.identity, std::move(lines));
    }
  }
  return made;
}

std::string note_of(const nsys_export& source, const join_count& joined, const chosen& of) {
  std::string note = to_text(joined);
  if (source.unusable > 0) note += fmt::format("; {} rows without a begin and an end", source.unusable);
  if (!of.left_out.empty()) {
    note += fmt::format("; left out, as this run measured no such point, or more than one: {}",
                        fmt::join(of.left_out, ", "));
  }
  return note;
}

}  // namespace

import_report import_nsys(const std::filesystem::path& source, const std::string& run_id,
                          const import_options& options) {
  const nsys_export seen = read_nsys_export(source);
  profiled_points points = join_by_range(seen);
  store into = store::open(options.into, {.mode = open_mode::existing});
  const loaded_run run = run_in(into, run_id);
  const chosen of = choose(run, points);
  if (of.by_identity.empty()) {
    refuse(source,
           fmt::format("none of its {} points was measured in run {}", of.left_out.size(), run.run.id),
           "name the run that was profiled with --run");
  }
  const import_record from{
      .at = options.at,
      .kind = "nsys",
      .file = source.string(),
      .source_version = seen.version.empty() ? "" : fmt::format("Nsight Systems {}", seen.version),
      .essbench_version = options.essbench_version,
      .env = run.env,
      .note = note_of(seen, points.joined, of)};
  const int added = into.add_profiles(run.run.id, of.by_identity, from);
  const auto there = static_cast<std::int64_t>(of.by_identity.size()) - added;
  return {.kind = from.kind,
          .source_version = from.source_version,
          .profiles = {.added = added, .there = there},
          .note = from.note};
}

}  // namespace results
