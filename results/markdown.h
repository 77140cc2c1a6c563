// Tables of Markdown whose cells are inert text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace results {

// One line in which nothing starts a cell, a tag, an emphasis, code or a link.
[[nodiscard]] std::string markdown_text(std::string_view text);
// "| a | b |\n"
[[nodiscard]] std::string markdown_row(const std::vector<std::string>& cells);
// The headings, and the line below them.
[[nodiscard]] std::string markdown_heading(const std::vector<std::string>& headings);

}  // namespace results
