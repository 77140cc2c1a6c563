#include "harness/environment/build_info.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <hwy/base.h>
#include <hwy/highway.h>
#include <libxsmm_version.h>
#include <sqlite3.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>
#include <string_view>

#include "ess_core/nvtx/nvtx.h"
#include "harness/environment/build_settings.h"
#include "harness/environment/git_revision.h"

namespace harness {
namespace {

using nlohmann::json;

json text_or_null(std::string_view text) { return text.empty() ? json(nullptr) : json(text); }

json libraries() {
  return {{"cli11", CLI11_VERSION},
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
          {"highway", fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH)},
          {"libxsmm", LIBXSMM_CONFIG_VERSION},
          {"nlohmann_json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
                                        NLOHMANN_JSON_VERSION_PATCH)},
          {"sqlite", sqlite3_libversion()},
          {"sqlitecpp", SQLITECPP_VERSION}};
}

json git_dirty() {
  const std::string_view state = build::git_state;
  if (state == "clean") return false;
  if (state == "dirty") return true;
  return nullptr;
}

}  // namespace

json capture_build() {
  return {{"version", build::version},
          {"git_revision", build::git_revision},
          {"git_dirty", git_dirty()},
          {"compiler", build::compiler},
          {"compiler_version", build::compiler_version},
          {"flags", build::flags},
          {"type", build::type},
          {"sanitizers", text_or_null(build::sanitizers)},
          {"architecture", build::architecture},
          {"nvtx", ess::nvtx::built_in},
          {"cuda_toolkit", text_or_null(build::cuda_toolkit)},
          {"libraries", libraries()}};
}

}  // namespace harness
