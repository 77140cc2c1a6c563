#include "results/text_table.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace results {
namespace {

constexpr char32_t replacement = 0xfffd;

struct decoded {
  char32_t point = replacement;
  std::size_t bytes = 1;  // of input; 1 for a byte that begins nothing
};

// The first code point of a text that is not empty (Unicode 15, table 3-7: no overlong forms, no surrogates).
decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  char32_t point = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3fu);
  }
  static constexpr std::array<char32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < smallest.at(length) || point > 0x10ffff || surrogate) return {};
  return {point, length};
}

using range = std::pair<char32_t, char32_t>;
// Wide or fullwidth (Unicode annex 11), in blocks.
constexpr std::array<range, 12> wide = {{{0x1100, 0x115f},
                                         {0x2e80, 0x303e},
                                         {0x3041, 0xa4cf},
                                         {0xac00, 0xd7a3},
                                         {0xf900, 0xfaff},
                                         {0xfe30, 0xfe6f},
                                         {0xff00, 0xff60},
                                         {0xffe0, 0xffe6},
                                         {0x1f300, 0x1f64f},
                                         {0x1f680, 0x1f6ff},
                                         {0x1f900, 0x1f9ff},
                                         {0x20000, 0x3fffd}}};
constexpr std::array<range, 5> combining = {
    {{0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}}};

template <std::size_t N>
bool is_in(const std::array<range, N>& ranges, char32_t point) {
  return std::ranges::any_of(ranges, [&](range r) { return r.first <= point && point <= r.second; });
}

bool is_control(char32_t point) { return point < 0x20 || (point >= 0x7f && point < 0xa0); }

std::string padded(const std::string& text, std::size_t width, alignment align) {
  const std::string gap(width - display_width(text), ' ');
  return align == alignment::left ? text + gap : gap + text;
}

}  // namespace

std::size_t display_width(std::string_view utf8) {
  std::size_t width = 0;
  while (!utf8.empty()) {
    const decoded next = decode(utf8);
    utf8.remove_prefix(next.bytes);
    if (!is_in(combining, next.point)) width += is_in(wide, next.point) ? 2 : 1;
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string made;
  while (!text.empty()) {
    const decoded next = decode(text);
    if (is_control(next.point)) {
      made += ' ';
    } else if (next.point == replacement) {
      made += "\xef\xbf\xbd";
    } else {
      made += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return made;
}

void text_table::add(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) throw std::invalid_argument("a table row of another length");
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string text_table::text(std::size_t indent) const {
  std::size_t heading_lines = 0;
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    heading_lines = std::max(heading_lines, columns_[c].heading.size());
    for (const std::string& line : columns_[c].heading) widths[c] = std::max(widths[c], display_width(line));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], display_width(row[c]));
  }
  std::string all;
  const auto add_line = [&](auto&& cell_of) {
    std::string line(indent, ' ');
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      line += (c == 0 ? "" : "  ") + padded(cell_of(c), widths[c], columns_[c].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + "\n";
  };
  for (std::size_t i = 0; i < heading_lines; ++i) {
    add_line([&](std::size_t c) { return i < columns_[c].heading.size() ? columns_[c].heading[i] : ""; });
  }
  add_line([&](std::size_t c) { return std::string(widths[c], '-'); });
  for (const auto& row : rows_) add_line([&](std::size_t c) { return row[c]; });
  return all;
}

}  // namespace results
