// Trace files. Little-endian throughout:
//
//   bytes    content
//   8        "ESSTRACE"
//   4        version, 1
//   4 x 4    steps, layers, top-k, first token (int32)
//   4 x n    ids, int32, [steps][layers][top-k]
//   32       SHA-256 of all bytes before
//
// So `head -c -32 FILE | sha256sum` shows the checksum on any machine.
#pragma once

#include <filesystem>
#include <string>

#include "ess_core/locality/index_trace.h"

namespace ess {

inline constexpr std::uint32_t trace_version = 1;

struct stored_trace {
  index_trace trace;
  std::string sha256;  // 64 lower-case hexadecimal digits, as stored
};

// What the first bytes and the size say; ids are neither read nor checked.
struct trace_header {
  trace_shape shape;
  std::string sha256;
};
[[nodiscard]] trace_result<trace_header> read_trace_header(const std::filesystem::path& file);

// Reads all of it and checks size, version, checksum and every id.
[[nodiscard]] trace_result<stored_trace> read_trace(const std::filesystem::path& file);

// Writes beside `file`, then renames, so that a killed run leaves no half a trace. Returns the checksum.
[[nodiscard]] trace_result<std::string> write_trace(const index_trace& trace,
                                                    const std::filesystem::path& file);

}  // namespace ess
