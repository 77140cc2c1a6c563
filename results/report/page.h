// The sources of the page, as they were when essbench was built.
#pragma once

#include <string_view>

namespace results {

struct page_parts {
  std::string_view
      template_text;  // HTML, with {{style}}, {{charts}}, {{script}} and {{data}} to be filled in
  std::string_view style_text;
  std::string_view script_text;
  std::string_view charts_text;  // Chart.js; empty: it was not there
};

[[nodiscard]] const page_parts& embedded_page();

}  // namespace results
