// What accompanies a trace file: FILE.json beside FILE, for people and scripts. The file can be read without
// it; where it is there it must agree.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ess_core/locality/trace_file.h"

namespace workloads {

// How a synthetic trace was made: enough to make it again.
struct trace_synthesis {
  std::string model;         // as it was named: a shipped model, or a file
  std::string model_sha256;  // of the model's file
  std::uint64_t seed = 0;
  ess::token_id context_tokens = 0;   // before the first step behind the lead-in
  std::int32_t lead_in_steps = 0;     // the trace's first steps, which only warm pools
  std::int32_t first_layer = 0;       // number in the model of the trace's layer 0
  std::vector<std::string> set = {};  // "overlap=0.7"

  friend bool operator==(const trace_synthesis&, const trace_synthesis&) = default;
};

[[nodiscard]] nlohmann::ordered_json as_json(const trace_synthesis& synthesis);

struct trace_manifest {
  ess::trace_header header;
  std::string source;  // where the ids come from, in words
  std::optional<trace_synthesis> synthesis = {};

  friend bool operator==(const trace_manifest& a, const trace_manifest& b) {
    return a.header.shape == b.header.shape && a.header.sha256 == b.header.sha256 && a.source == b.source &&
           a.synthesis == b.synthesis;
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
