// Rows of a row-major matrix.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ess::golden {

// Row `row` of values of `width` each.
template <typename value>
std::span<value> row_of(std::span<value> values, std::int64_t row, std::int64_t width) {
  return values.subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width));
}

template <typename value>
std::span<const value> row_of(const std::vector<value>& values, std::int64_t row, std::int64_t width) {
  return row_of(std::span<const value>(values), row, width);
}

template <typename value>
std::span<value> row_of(std::vector<value>& values, std::int64_t row, std::int64_t width) {
  return row_of(std::span<value>(values), row, width);
}

template <typename value, typename range>
void append(std::vector<value>& to, const range& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace ess::golden
