#include "harness/command_line/stored_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "harness/command_line/command.h"
#include "harness/gating/arms.h"
#include "results/matching.h"

namespace harness {
namespace {

constexpr results::open_options for_reading{.mode = results::open_mode::read_only};

}  // namespace

reading_store reading_store::open(const std::filesystem::path& file) {
  try {
    return {nullptr, results::store::open(file, for_reading)};
  } catch (const results::store_error& e) {
    if (e.fault() != results::store_fault::older_schema) throw;
  }
  auto copy = std::make_unique<results::source_copy>(file);
  results::store store = results::store::open(copy->file(), for_reading);
  return {std::move(copy), std::move(store)};
}

results::loaded_run load_run(results::store& store, const std::string& id, results::load_detail detail) {
  const auto wanted = id.empty() ? store.latest_run() : std::optional(id);
  if (!wanted) {
    tell(fmt::format("essbench: {} holds no run yet; `essbench run quick --db {}` makes one",
                     store.file().string(), store.file().string()));
    throw refused{exit_code::bad_data};
  }
  auto run = store.load(*wanted, detail);
  if (!run) {
    tell(fmt::format("essbench: {} holds no run '{}'; `essbench show --runs --db {}` lists them",
                     store.file().string(), *wanted, store.file().string()));
    throw refused{exit_code::bad_data};
  }
  return *std::move(run);
}

namespace {

struct named_run {
  std::string database, run;
};

named_run parse_name(const std::string& name) {
  const std::size_t colon = name.rfind(':');
  const bool has_run = !std::filesystem::exists(name) && colon != std::string::npos;
  return has_run ? named_run{name.substr(0, colon), name.substr(colon + 1)} : named_run{name, ""};
}

}  // namespace

results::loaded_run load_named_run(const std::string& name) {
  const named_run of = parse_name(name);
  reading_store store = reading_store::open(of.database);
  return load_run(*store, of.run);
}

std::string database_of(const std::string& name) { return parse_name(name).database; }

results::arm load_stored_arm(const std::string& database, const std::string& workload) {
  reading_store store = reading_store::open(database);
  results::arm runs = load_arm(*store, workload);
  if (!runs.empty()) return runs;
  refuse(exit_code::bad_data,
         workload.empty()
             ? fmt::format("{} holds no run", database)
             : fmt::format("{} holds no run of workload '{}'; `essbench show --runs --db {}` lists them",
                           database, workload, database));
}

std::optional<results::loaded_run> load_latest_like(const std::string& name, std::string_view workload,
                                                    const results::environment& machine) {
  reading_store store = reading_store::open(database_of(name));
  const auto runs = store->runs();
  for (auto at = runs.rbegin(); at != runs.rend(); ++at) {
    if (at->run.workload_name != workload) continue;
    auto run = store->load(at->run.id);
    if (run && results::unlike_environments(run->env, machine).empty()) return run;
  }
  return std::nullopt;
}

}  // namespace harness
