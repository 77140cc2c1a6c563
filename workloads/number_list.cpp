#include "workloads/number_list.h"

#include <charconv>

namespace workloads {

std::optional<std::vector<double>> parse_number_list(std::string_view text) {
  constexpr std::string_view blanks = " \t\n";
  std::vector<double> out;
  for (;;) {
    const std::size_t start = text.find_first_not_of(blanks);
    if (start == std::string_view::npos) return out;
    text.remove_prefix(start);
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    double value = 0.0;
    const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (fault != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    out.push_back(value);
    text.remove_prefix(word.size());
  }
}

}  // namespace workloads
