#include "harness/command_line/stored_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "harness/command_line/command.h"

namespace harness {

results::loaded_run load_run(results::store& store, const std::string& id) {
  const auto wanted = id.empty() ? store.latest_run() : std::optional(id);
  if (!wanted) {
    tell(fmt::format("essbench: {} holds no run yet; `essbench run quick --db {}` makes one",
                     store.file().string(), store.file().string()));
    throw refused{exit_code::bad_data};
  }
  auto run = store.load(*wanted);
  if (!run) {
    tell(fmt::format("essbench: {} holds no run '{}'; `essbench show --runs --db {}` lists them",
                     store.file().string(), *wanted, store.file().string()));
    throw refused{exit_code::bad_data};
  }
  return *std::move(run);
}

results::loaded_run load_named_run(const std::string& name) {
  const std::size_t colon = name.rfind(':');
  const bool has_run = !std::filesystem::exists(name) && colon != std::string::npos;
  auto store =
      results::store::open(has_run ? name.substr(0, colon) : name, {.mode = results::open_mode::read_only});
  return load_run(store, has_run ? name.substr(colon + 1) : "");
}

}  // namespace harness
