#include "harness/environment/system_files.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <ranges>
#include <system_error>

namespace harness {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view white = " \t\r\n\0";
  const std::size_t first = text.find_first_not_of(white);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  text = trimmed(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::pair<std::string, std::string>> parse_fields(std::string_view text, char separator) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (auto part : std::views::split(text, '\n')) {
    const std::string_view line(part.begin(), part.end());
    const std::size_t at = line.find(separator);
    if (at == std::string_view::npos) continue;
    fields.emplace_back(trimmed(line.substr(0, at)), trimmed(line.substr(at + 1)));
  }
  return fields;
}

std::optional<std::int64_t> count_listed(std::string_view list) {
  if (trimmed(list).empty()) return std::nullopt;
  std::int64_t count = 0;
  for (auto part : std::views::split(trimmed(list), ',')) {
    const std::string_view range(part.begin(), part.end());
    const std::size_t dash = range.find('-');
    const auto first = parse_integer(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_integer(range.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    count += *last - *first + 1;
  }
  return count;
}

bool system_files::exists(const std::filesystem::path& relative) const {
  std::error_code ignored;
  return std::filesystem::exists(root_ / relative, ignored);
}

std::optional<std::string> system_files::text(const std::filesystem::path& relative) const {
  std::ifstream file(root_ / relative, std::ios::binary);
  if (!file) return std::nullopt;
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return std::nullopt;
  return std::string(trimmed(content));
}

std::optional<std::int64_t> system_files::integer(const std::filesystem::path& relative) const {
  const auto content = text(relative);
  return content ? parse_integer(*content) : std::nullopt;
}

std::vector<std::string> system_files::names(const std::filesystem::path& relative) const {
  std::vector<std::string> found;
  std::error_code error;
  std::filesystem::directory_iterator entry(root_ / relative, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    found.push_back(entry->path().filename().string());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace harness
