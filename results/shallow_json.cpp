#include "results/shallow_json.h"

namespace results {

std::optional<nlohmann::json> parse_shallow_json(std::string_view text) {
  bool too_deep = false;
  const auto keep = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > deepest_json;
    return !too_deep;
  };
  nlohmann::json parsed = nlohmann::json::parse(text, keep, false);
  if (parsed.is_discarded() || too_deep) return std::nullopt;
  return parsed;
}

}  // namespace results
