// What accompanies a trace file: FILE.json beside FILE, for people and scripts. The file can be read without
// it; where it is there it must agree.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "ess_core/locality/trace_file.h"

namespace workloads {

struct trace_manifest {
  ess::trace_header header;
  std::string source;  // where the ids come from, in words

  friend bool operator==(const trace_manifest& a, const trace_manifest& b) {
    return a.header.shape == b.header.shape && a.header.sha256 == b.header.sha256 && a.source == b.source;
  }
};

[[nodiscard]] std::filesystem::path manifest_of(const std::filesystem::path& trace_file);
[[nodiscard]] ess::trace_result<void> write_manifest(const std::filesystem::path& trace_file,
                                                     const trace_manifest& manifest);
// Nothing if there is no manifest; an error if there is one that cannot be read or describes another trace
// than `header`.
[[nodiscard]] ess::trace_result<std::optional<trace_manifest>> read_manifest(
    const std::filesystem::path& trace_file, const ess::trace_header& header);

}  // namespace workloads
