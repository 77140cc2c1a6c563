#include "workloads/document.h"

namespace workloads {
namespace {

using nlohmann::json;

json to_json(const layer& of, std::string_view system_key) {
  json out = json::object();
  for (const auto& [path, value] : of) {
    const std::string key = path == "system" ? std::string(system_key) : path;
    const bool as_list = value.values.size() != 1 || (path == "system" && system_key == "systems");
    out[key] = as_list ? json(value.values) : value.values.front();
  }
  return out;
}

void add_selector(const point_selector& of, json& out) {
  if (of.system) out["system"] = to_string(*of.system);
  if (!of.label.empty()) out["label"] = of.label;
  if (of.batch) out["batch"] = *of.batch;
}

json to_json(const expectation& of) {
  json out = {{"metric", of.metric}};
  add_selector(of.of, out);
  if (of.min) out["min"] = *of.min;
  if (of.max) out["max"] = *of.max;
  return out;
}

json to_json(const published_value& of) {
  json out = {{"metric", of.metric}, {"value", of.value}, {"unit", of.unit}, {"source", of.source}};
  if (!of.calibrates.empty()) out["calibrates"] = of.calibrates;
  add_selector(of.of, out);
  return out;
}

}  // namespace

std::string canonical_json(const document& of) {
  json out = to_json(of.base, "systems");
  out["name"] = of.name;
  out["description"] = of.description;
  out["kind"] = to_string(of.kind);
  for (const layer& pattern : of.exclude) out["exclude"].push_back(to_json(pattern, "system"));
  for (const auto& [system, settings] : of.overrides) {
    if (!settings.empty()) out["overrides"][std::string(to_string(system))] = to_json(settings, "system");
  }
  for (const extra_point& extra : of.extra_points) {
    out["extra_points"].push_back({{"label", extra.label}, {"set", to_json(extra.set, "system")}});
  }
  for (const expectation& e : of.expectations) out["expect"].push_back(to_json(e));
  for (const published_value& p : of.published) out["published"].push_back(to_json(p));
  return out.dump();
}

}  // namespace workloads
