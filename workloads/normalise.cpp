// Checking single values against the table of fields, and telling people what the table says.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "workloads/fields.h"
#include "workloads/suggest.h"

namespace workloads {
namespace {

using nlohmann::json;

std::string shown(double number) { return fmt::format("{}", number); }  // shortest text that reads back

std::string list_text(std::span<const std::string_view> words) {
  return fmt::format("one of: {}", fmt::join(words, ", "));
}

// The upper bound is not the field's own, only what an int holds.
bool at_type_limit(const field& of) {
  return of.type == value_type::integer && of.range.max >= std::numeric_limits<int>::max();
}

std::string_view kind_of_value(value_type type) {
  switch (type) {
    case value_type::boolean:
      return "true or false";
    case value_type::integer:
      return "a whole number";
    case value_type::number:
      return "a number";
    case value_type::text:
      return "text";
    case value_type::choice:
      return "a word";
    case value_type::batch:
      return "a whole number, \"max\" or \"max:SYSTEM\"";
  }
  return "";
}

complaint wrong_type(const field& of, const json& value) {
  return {fmt::format("must be {}, not {}", kind_of_value(of.type),
                      value.is_string() ? "text " + value.dump() : value.dump()),
          of.choices.empty() ? std::string() : list_text(of.choices)};
}

std::optional<complaint> check_range(const field& of, double number, const json& value) {
  const bool low = of.range.above_min ? number <= of.range.min : number < of.range.min;
  if (!low && number <= of.range.max) return std::nullopt;
  if (!low && at_type_limit(of)) {
    return complaint{fmt::format("is {}, but must be at most {}", value.dump(), shown(of.range.max))};
  }
  return complaint{fmt::format("is {}, but must be {}", value.dump(), range_text(of))};
}

std::optional<complaint> normalise_integer(const field& of, json& value) {
  if (!value.is_number()) return wrong_type(of, value);
  const double number = value.get<double>();
  if (number != std::floor(number)) return wrong_type(of, value);
  if (auto wrong = check_range(of, number, value)) return wrong;
  if (!value.is_number_integer() || value.is_number_unsigned()) value = static_cast<std::int64_t>(number);
  return std::nullopt;
}

std::optional<complaint> normalise_number(const field& of, json& value) {
  if (!value.is_number()) return wrong_type(of, value);
  const double number = value.get<double>();
  if (auto wrong = check_range(of, number, value)) return wrong;
  value = number + 0.0;  // -0.0 becomes 0.0
  return std::nullopt;
}

std::optional<complaint> check_word(std::string_view word, std::span<const std::string_view> words) {
  if (std::ranges::find(words, word) != words.end()) return std::nullopt;
  const std::string_view guess = nearest(word, words);
  const std::string near = guess.empty() ? std::string() : fmt::format("did you mean '{}'? ", guess);
  return complaint{fmt::format("cannot be '{}'", word), near + list_text(words)};
}

std::optional<complaint> normalise_batch(const field& of, json& value) {
  if (value.is_number()) return normalise_integer(of, value);
  if (!value.is_string()) return wrong_type(of, value);
  const std::string text = value.get<std::string>();
  if (text == "max") return std::nullopt;
  if (text.starts_with("max:")) return check_word(text.substr(4), system_names());
  return wrong_type(of, value);
}

}  // namespace

std::optional<complaint> normalise(const field& of, json& value) {
  switch (of.type) {
    case value_type::boolean:
      return value.is_boolean() ? std::nullopt : std::optional(wrong_type(of, value));
    case value_type::integer:
      return normalise_integer(of, value);
    case value_type::number:
      return normalise_number(of, value);
    case value_type::text:
      return value.is_string() ? std::nullopt : std::optional(wrong_type(of, value));
    case value_type::choice:
      return value.is_string() ? check_word(value.get<std::string>(), of.choices)
                               : std::optional(wrong_type(of, value));
    case value_type::batch:
      return normalise_batch(of, value);
  }
  return std::nullopt;
}

std::string interval_text(const value_range& range) {
  if (std::isinf(range.max)) return fmt::format("{} {}", range.above_min ? "above" : "at least", range.min);
  return fmt::format("in {}{}, {}]", range.above_min ? '(' : '[', shown(range.min), shown(range.max));
}

std::string range_text(const field& of) {
  switch (of.type) {
    case value_type::boolean:
      return "true or false";
    case value_type::text:
      return "any";
    case value_type::choice:
      return list_text(of.choices);
    case value_type::batch:
      return interval_text(of.range) + ", max or max:SYSTEM";
    case value_type::integer:
      if (at_type_limit(of)) return fmt::format("at least {}", of.range.min);
      return interval_text(of.range);
    case value_type::number:
      return interval_text(of.range);
  }
  return "";
}

std::string describe_fields() {
  static const settings defaults;
  std::string out;
  for (const field& f : fields()) {
    const json value = f.get(defaults);
    out += fmt::format("{}{}\n    {}; default {}\n    {}\n", f.path,
                       f.unit.empty() ? "" : fmt::format(" [{}]", f.unit), range_text(f),
                       value.is_null() ? "none" : value.dump(), f.help);
  }
  return out;
}

}  // namespace workloads
