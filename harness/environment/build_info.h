// What this program was built from and with.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace harness {

// {version, git_revision, git_dirty, compiler, compiler_version, flags, type, sanitizers, architecture, nvtx,
// cuda_toolkit, libraries: {name: version}}. git_revision is "unknown" and git_dirty null if it was not built
// from a checkout of this project. The version of SQLite is that of the library loaded now.
[[nodiscard]] nlohmann::json capture_build();

}  // namespace harness
