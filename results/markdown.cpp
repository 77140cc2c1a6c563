#include "results/markdown.h"

#include "results/text_table.h"

namespace results {

std::string markdown_text(std::string_view text) {
  const std::string line = printable(text);
  std::string made;
  for (std::size_t i = 0; i < line.size(); ++i) {
    // A bracket alone is an interval's.
    const bool makes_link =
        line[i] == ']' && i + 1 < line.size() && (line[i + 1] == '(' || line[i + 1] == '[');
    if (makes_link || std::string_view("|<`*_\\#~&").find(line[i]) != std::string_view::npos) made += '\\';
    made += line[i];
  }
  return made;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const std::string& cell : cells) row += " " + markdown_text(cell) + " |";
  return row + "\n";
}

std::string markdown_heading(const std::vector<std::string>& headings) {
  std::string text = markdown_row(headings) + "|";
  for (std::size_t i = 0; i < headings.size(); ++i) text += "---|";
  return text + "\n";
}

}  // namespace results
