// Readers of published request logs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "workloads/requests.h"

namespace workloads {
namespace {

using nlohmann::json;
using failure = std::optional<spec_error>;

constexpr std::int64_t longest_length = 1 << 28;
constexpr double latest_ms = 4e12;  // in nanoseconds still an int64

struct entry {
  std::int64_t time_ns = 0;
  int prompt_tokens = 0;
  int output_tokens = 0;
};

struct line {
  std::string_view text;
  int number = 0;
  std::string_view file;
  bool is_last = false;  // and no line break follows: where a cut-off file ends
};

spec_error wrong(const line& in, std::string_view key, std::string what, std::string hint = {}) {
  return {.path = std::string(key),
          .line = in.number,
          .what = std::move(what),
          .hint = std::move(hint),
          .file = std::string(in.file)};
}

spec_error cut_off(const line& in) {
  return wrong(in, "", "the last line is cut off", "was the file copied completely?");
}

std::string shortened(std::string_view text) {
  return text.size() <= 40 ? std::string(text) : std::string(text.substr(0, 40)) + "...";
}

failure length_in_range(const line& in, std::string_view key, std::int64_t value, int& out) {
  if (value < 0 || value > longest_length) {
    return wrong(in, key, fmt::format("'{}' is {}, but must be in [0, {}]", key, value, longest_length));
  }
  out = static_cast<int>(value);
  return std::nullopt;
}

// ---- Mooncake ----

// Never all of a list or an object: it may be a megabyte, and a million levels deep.
std::string shown(const json& value) {
  return value.is_structured() ? std::string("an ") + value.type_name() : shortened(value.dump());
}

failure read_length(const line& in, const json& object, std::string_view key, int& out) {
  const auto at = object.find(key);
  if (at == object.end()) return wrong(in, key, fmt::format("missing key '{}'", key));
  if (!at->is_number_integer())
    return wrong(in, key, fmt::format("'{}' must be a whole number, not {}", key, shown(*at)));
  if (at->is_number_unsigned() && at->get<std::uint64_t>() > longest_length) {
    return length_in_range(in, key, std::numeric_limits<std::int64_t>::max(), out);
  }
  return length_in_range(in, key, at->get<std::int64_t>(), out);
}

failure read_milliseconds(const line& in, const json& object, std::int64_t& out_ns) {
  const auto at = object.find("timestamp");
  if (at == object.end()) return wrong(in, "timestamp", "missing key 'timestamp'");
  if (!at->is_number())
    return wrong(in, "timestamp", fmt::format("'timestamp' must be a number, not {}", shown(*at)));
  const double ms = at->get<double>();
  if (ms < 0 || ms > latest_ms) {
    return wrong(in, "timestamp",
                 fmt::format("'timestamp' is {}, but must be in [0, {}] ms", at->dump(), latest_ms));
  }
  out_ns = std::llround(ms * 1e6);
  return std::nullopt;
}

failure read_mooncake_line(const line& in, entry& out) {
  const json object = json::parse(in.text, nullptr, false);
  if (object.is_discarded() && in.is_last) return cut_off(in);
  if (!object.is_object()) return wrong(in, "", fmt::format("not a JSON object: {}", shortened(in.text)));
  if (auto fault = read_milliseconds(in, object, out.time_ns)) return fault;
  if (auto fault = read_length(in, object, "input_length", out.prompt_tokens)) return fault;
  return read_length(in, object, "output_length", out.output_tokens);
}

// ---- Azure ----

constexpr std::array<std::string_view, 3> azure_columns = {"TIMESTAMP", "ContextTokens", "GeneratedTokens"};

std::vector<std::string_view> cells_of(std::string_view text) {
  std::vector<std::string_view> cells;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    cells.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return cells;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Two or four digits and nothing else.
std::optional<int> digits(std::string_view text, std::size_t from, std::size_t count) {
  if (from + count > text.size()) return std::nullopt;
  const std::string_view part = text.substr(from, count);
  if (!std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return static_cast<int>(*whole_number(part));
}

// ".9799600" -> 979,960,000 ns; digits beyond the ninth are dropped.
std::optional<std::int64_t> fraction_ns(std::string_view text) {
  if (text.empty()) return 0;
  if (text.size() < 2 || text[0] != '.') return std::nullopt;
  std::int64_t ns = 0;
  for (std::size_t i = 1; i < std::max<std::size_t>(text.size(), 10); ++i) {
    const char c = i < text.size() ? text[i] : '0';
    if (c < '0' || c > '9') return std::nullopt;
    if (i <= 9) ns = ns * 10 + (c - '0');
  }
  return ns;
}

// "2023-11-16 18:17:03.9799600", optionally with Z or +00:00, in nanoseconds since 1970.
std::optional<std::int64_t> parse_utc(std::string_view text) {
  for (const std::string_view zone : {"+00:00", "Z"}) {
    if (text.ends_with(zone)) text.remove_suffix(zone.size());
  }
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  const auto fraction = fraction_ns(text.substr(19));
  const bool in_int64 = *year >= 1970 && *year <= 2200;
  if (!date.ok() || !in_int64 || *hour > 23 || *minute > 59 || *second > 60 || !fraction) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1'000'000'000 + *fraction;
}

struct azure_layout {
  std::array<std::size_t, 3> cell = {};  // where azure_columns are
  std::size_t cells = 0;
};

failure read_azure_header(const line& in, azure_layout& out) {
  const auto cells = cells_of(in.text);
  out.cells = cells.size();
  for (std::size_t i = 0; i < azure_columns.size(); ++i) {
    const auto at = std::ranges::find(cells, azure_columns[i]);
    if (at == cells.end()) {
      return wrong(in, azure_columns[i], fmt::format("missing column '{}'", azure_columns[i]),
                   fmt::format("the columns are {}", fmt::join(azure_columns, ", ")));
    }
    out.cell[i] = static_cast<std::size_t>(at - cells.begin());
  }
  return std::nullopt;
}

failure read_count(const line& in, std::string_view key, std::string_view cell, int& out) {
  if (cell.empty() && in.is_last) return cut_off(in);
  const auto value = whole_number(cell);
  if (!value)
    return wrong(in, key, fmt::format("'{}' must be a whole number, not '{}'", key, shortened(cell)));
  return length_in_range(in, key, *value, out);
}

failure read_azure_line(const line& in, const azure_layout& layout, entry& out) {
  const auto cells = cells_of(in.text);
  if (cells.size() < layout.cells && in.is_last) return cut_off(in);
  if (cells.size() != layout.cells) {
    return wrong(in, "", fmt::format("{} cells, but the header has {}", cells.size(), layout.cells));
  }
  const auto time = parse_utc(cells[layout.cell[0]]);
  if (!time) {
    return wrong(in, "TIMESTAMP",
                 fmt::format("'TIMESTAMP' is not a time: '{}'", shortened(cells[layout.cell[0]])),
                 "write it as 2023-11-16 18:17:03.979");
  }
  out.time_ns = *time;
  if (auto fault = read_count(in, azure_columns[1], cells[layout.cell[1]], out.prompt_tokens)) return fault;
  return read_count(in, azure_columns[2], cells[layout.cell[2]], out.output_tokens);
}

// ---- both ----

std::string_view without_end(std::string_view text) {
  const auto last = text.find_last_not_of(" \t\r");
  return last == text.npos ? std::string_view() : text.substr(0, last + 1);
}

// Lines that hold something.
std::vector<line> lines_of(std::string_view text, std::string_view file) {
  std::vector<line> lines;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const line next{without_end(text.substr(0, end)), ++number, file, end == text.size()};
    if (!next.text.empty()) lines.push_back(next);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

failure read_mooncake(const std::vector<line>& lines, std::vector<entry>& into) {
  for (const line& in : lines) {
    if (auto fault = read_mooncake_line(in, into.emplace_back())) return fault;
  }
  return std::nullopt;
}

failure read_azure(const std::vector<line>& lines, std::vector<entry>& into) {
  azure_layout layout;
  if (auto fault = read_azure_header(lines[0], layout)) return fault;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (auto fault = read_azure_line(lines[i], layout, into.emplace_back())) return fault;
  }
  return std::nullopt;
}

failure read_entries(const std::vector<line>& lines, std::string_view file, std::vector<entry>& into) {
  const spec_error nothing{.what = "no requests in this log", .file = std::string(file)};
  if (lines.empty()) return nothing;
  const std::string_view first = lines[0].text;
  failure fault;
  if (first.starts_with('{')) {
    fault = read_mooncake(lines, into);
  } else if (first.find("TIMESTAMP") != first.npos) {
    fault = read_azure(lines, into);
  } else {
    fault = wrong(
        lines[0], "", fmt::format("not a request log: {}", shortened(first)),
        R"(known are Mooncake's JSON lines ({"timestamp": ...) and Azure's CSV (TIMESTAMP,ContextTokens,...))");
  }
  return fault || !into.empty() ? fault : nothing;
}

}  // namespace

result<std::vector<request_spec>> parse_request_log(std::string_view text, std::string_view file) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  std::vector<entry> entries;
  if (auto fault = read_entries(lines_of(text, file), file, entries)) return tl::unexpected(*fault);
  std::ranges::stable_sort(entries, {}, &entry::time_ns);
  std::vector<request_spec> log;
  for (const entry& e : entries) {
    const auto after_first = static_cast<double>(e.time_ns - entries[0].time_ns);
    log.push_back({after_first / 1e9, e.prompt_tokens, e.output_tokens});
  }
  return log;
}

}  // namespace workloads
