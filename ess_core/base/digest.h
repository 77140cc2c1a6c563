// SHA-256, so that the identity of a workload can be checked with any shell's sha256sum.
#pragma once

#include <string>
#include <string_view>

namespace workloads {

// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace workloads
