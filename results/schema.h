// The tables, as a list of migrations: number i brings a database from version i to i + 1.
#pragma once

#include <cstdint>
#include <span>

namespace results {

// "essb" in `application_id`: tells our databases from other programs'.
inline constexpr std::int32_t application_id = 0x65737362;

// The first one makes version 1 of an empty file. Append only: files of every version are out there.
[[nodiscard]] std::span<const char* const> migrations();
[[nodiscard]] inline int schema_version() { return static_cast<int>(migrations().size()); }

}  // namespace results
