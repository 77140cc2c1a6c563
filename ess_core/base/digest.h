// SHA-256, so that identities and checksums can be checked with any shell's sha256sum.
#pragma once

#include <string>
#include <string_view>

namespace ess {

// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace ess
