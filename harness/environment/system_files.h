// Reading /proc, /sys and /etc below a root that tests can replace. What is missing or unreadable is nullopt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace harness {

// The text without surrounding white space.
[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);
// "key : value" lines (any separator), trimmed, in order; lines without the separator are left out.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_fields(std::string_view text,
                                                                            char separator);
// How many numbers a kernel list like "0-3,8" names; nullopt if it is not one.
[[nodiscard]] std::optional<std::int64_t> count_listed(std::string_view list);

class system_files {
 public:
  explicit system_files(std::filesystem::path root = "/") : root_(std::move(root)) {}

  [[nodiscard]] bool exists(const std::filesystem::path& relative) const;
  // Whole content, trimmed.
  [[nodiscard]] std::optional<std::string> text(const std::filesystem::path& relative) const;
  [[nodiscard]] std::optional<std::int64_t> integer(const std::filesystem::path& relative) const;
  // Names in a directory, sorted; empty if there is none.
  [[nodiscard]] std::vector<std::string> names(const std::filesystem::path& relative) const;

 private:
  std::filesystem::path root_;
};

}  // namespace harness
