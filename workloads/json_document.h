// JSON with the line of every value, strict: a repeated key is an error.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/error.h"

namespace workloads {

enum class json_type : std::uint8_t { scalar, array, object };

struct json_node {
  int line = 0;  // of the key, for a member of an object
  json_type type = json_type::scalar;
  nlohmann::json scalar;          // null, a boolean, a number or text
  std::vector<std::string> keys;  // of an object: keys[i] names items[i], in the document's order
  std::vector<json_node> items;   // of an array or an object

  [[nodiscard]] const json_node* find(std::string_view key) const;
  [[nodiscard]] bool is_text() const { return type == json_type::scalar && scalar.is_string(); }
};

// `file` is only named in errors.
[[nodiscard]] result<json_node> parse_json(std::string_view text, std::string_view file);

// What kind of value it is, for messages: "true", "12", "text \"abc\"", "a list", "an object".
[[nodiscard]] std::string describe(const json_node& node);

}  // namespace workloads
