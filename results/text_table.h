// Aligned columns of UTF-8 text, without colour.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace results {

// Columns of a terminal: 2 for wide East Asian characters and most emoji, 0 for combining marks, 1 for the
// rest.
[[nodiscard]] std::size_t display_width(std::string_view utf8);
// One line of valid UTF-8: control characters become spaces, other bytes become U+FFFD.
[[nodiscard]] std::string printable(std::string_view text);

enum class alignment : std::uint8_t { left, right };

struct table_column {
  std::vector<std::string> heading;  // one or more lines
  alignment align = alignment::right;
};

class text_table {
 public:
  explicit text_table(std::vector<table_column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void add(std::vector<std::string> cells);
  // Headings, a rule and the rows; two spaces between columns, none at the end of a line. Each line begins
  // with `indent` spaces and ends in a line feed.
  [[nodiscard]] std::string text(std::size_t indent = 0) const;

 private:
  std::vector<table_column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace results
