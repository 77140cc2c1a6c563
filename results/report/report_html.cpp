#include <array>
#include <stdexcept>
#include <utility>

#include "results/report/page.h"
#include "results/report/report.h"

namespace results {
namespace {

using fillings = std::array<std::pair<std::string_view, std::string_view>, 4>;

std::string_view filling_of(const fillings& with, std::string_view name) {
  for (const auto& [known, text] : with) {
    if (known == name) return text;
  }
  throw std::logic_error("the page's template has no part " + std::string(name));
}

// One pass, so that what was filled in is not searched.
std::string filled(std::string_view page, const fillings& with) {
  std::string made;
  while (true) {
    const std::size_t open = page.find("{{");
    made += page.substr(0, open);
    if (open == std::string_view::npos) return made;
    const std::size_t close = page.find("}}", open);
    made += filling_of(with, page.substr(open + 2, close - open - 2));
    page.remove_prefix(close + 2);
  }
}

// JSON in a script element: without "<" no text can end the element or begin a comment.
std::string inert(const std::string& json) {
  std::string made;
  made.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      made += "\\u003c";
    } else {
      made += c;
    }
  }
  return made;
}

}  // namespace

bool report_has_charts() { return !embedded_page().charts_text.empty(); }

std::string report_html(const report& of) {
  const page_parts& page = embedded_page();
  const std::string data =
      inert(report_json(of).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  return filled(page.template_text, {{{"style", page.style_text},
                                      {"charts", page.charts_text},
                                      {"script", page.script_text},
                                      {"data", data}}});
}

}  // namespace results
