// Multiplying axes: from a document to its points.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ess_core/base/digest.h"
#include "workloads/document.h"
#include "workloads/rules.h"

namespace workloads {
namespace {

using nlohmann::json;

constexpr std::size_t most_points = 10'000;

using choice = std::pair<const field*, json>;  // one value of one axis

// Every combination of the given axes, the first varying slowest; one empty combination where there is none.
std::vector<std::vector<choice>> combinations(
    const std::vector<std::pair<const field*, const given*>>& axes) {
  std::vector<std::vector<choice>> all(1);
  for (const auto& [of, values] : axes) {
    std::vector<std::vector<choice>> longer;
    for (const auto& start : all) {
      for (const json& value : values->values) {
        longer.push_back(start);
        longer.back().emplace_back(of, value);
      }
    }
    all = std::move(longer);
  }
  return all;
}

class expander {
 public:
  explicit expander(const document& from) : doc_(from) {}

  [[nodiscard]] failure run(std::vector<point>& into) {
    static const layer nothing;
    if (auto wrong = add_points(nullptr, nothing, into)) return wrong;
    for (const extra_point& extra : doc_.extra_points) {
      if (auto wrong = add_points(&extra, extra.set, into)) return wrong;
    }
    if (into.empty()) return spec_error{.path = "exclude", .what = "no points are left", .file = doc_.file};
    return check_twins(into);
  }

 private:
  // The grid, or one extra point: systems first, then each system's axes.
  [[nodiscard]] failure add_points(const extra_point* extra, const layer& set, std::vector<point>& into) {
    const auto own = set.find("system");
    const given& systems = own != set.end() ? own->second : doc_.base.find("system")->second;
    for (const json& name : systems.values) {
      const system_kind system = parse_system(name.get<std::string>()).value();
      const layer layered = layers_of(system, set);
      if (count(layered) > most_points) return too_many();
      for (const auto& chosen : combinations(axes_of(layered))) {
        if (auto wrong = add_point(extra, set, system, layered, chosen, into)) return wrong;
      }
      if (into.size() > most_points) return too_many();
    }
    return std::nullopt;
  }

  [[nodiscard]] failure add_point(const extra_point* extra, const layer& set, system_kind system,
                                  const layer& layered, const std::vector<choice>& chosen,
                                  std::vector<point>& into) const {
    point made{.label = extra ? extra->label : std::string(to_string(system)),
               .extra_label = extra ? extra->label : std::string(),
               .requested = settings_of(system, layered, chosen)};
    if (extra == nullptr && is_excluded(made.requested)) return std::nullopt;
    if (extra != nullptr && axis_of_systems(set)) made.label += fmt::format(" system={}", to_string(system));
    for (const auto& [of, value] : chosen) made.label += fmt::format(" {}={}", of->path, shown(value));
    if (const auto* other = std::get_if<max_batch_of>(&made.requested.batch)) {
      made.batch_of = reference(other->system, set, chosen);
    }
    if (auto broken = check_rules(made.requested)) return broken_in(made, layered, std::move(*broken));
    made.id = identity(made);
    into.push_back(std::move(made));
    return std::nullopt;
  }

  // base < overrides of the system < what the extra point sets
  [[nodiscard]] layer layers_of(system_kind system, const layer& set) const {
    layer layered = doc_.base;
    layered.erase("system");
    if (const auto own = doc_.overrides.find(system); own != doc_.overrides.end()) lay(own->second, layered);
    lay(set, layered);
    layered.erase("system");
    return layered;
  }

  static void lay(const layer& upper, layer& onto) {
    for (const auto& [path, value] : upper) put(onto, *find_field(path), value);
  }

  static std::vector<std::pair<const field*, const given*>> axes_of(const layer& layered) {
    std::vector<std::pair<const field*, const given*>> axes;
    for (const field& of : fields()) {
      const auto at = layered.find(of.path);
      if (at != layered.end() && at->second.values.size() > 1) axes.emplace_back(&of, &at->second);
    }
    return axes;
  }

  static std::size_t count(const layer& layered) {
    std::size_t points = 1;
    for (const auto& [path, value] : layered)
      points = std::min(points * value.values.size(), 2 * most_points);
    return points;
  }

  [[nodiscard]] settings settings_of(system_kind system, const layer& layered,
                                     const std::vector<choice>& chosen) const {
    settings made{.kind = doc_.kind, .system = system};
    for (const field& of : fields()) {
      const auto at = layered.find(of.path);
      if (at != layered.end()) of.set(made, at->second.values.front());
      if (at == layered.end() && !of.alternative.empty()) of.set(made, nullptr);
    }
    for (const auto& [of, value] : chosen) of->set(made, value);
    return made;
  }

  // See point::batch_of.
  [[nodiscard]] settings reference(system_kind system, const layer& set,
                                   const std::vector<choice>& chosen) const {
    layer kept = set;
    for (const char* path :
         {"batch", "device_budget_bytes", "device_budget_beyond_weights_bytes", "host_budget_bytes"}) {
      kept.erase(path);
    }
    const layer layered = layers_of(system, kept);
    std::vector<choice> same;
    for (const choice& c : chosen) {
      const auto at = layered.find(c.first->path);
      if (at != layered.end() && std::ranges::find(at->second.values, c.second) != at->second.values.end()) {
        same.push_back(c);
      }
    }
    settings made = settings_of(system, layered, same);
    made.batch = max_batch{};
    return made;
  }

  [[nodiscard]] bool is_excluded(const settings& made) const {
    const json flat = to_flat_json(made);
    return std::ranges::any_of(doc_.exclude, [&](const layer& pattern) {
      return std::ranges::all_of(pattern, [&](const auto& entry) {
        const auto at = flat.find(entry.first);
        return at != flat.end() && *at == entry.second.values.front();
      });
    });
  }

  [[nodiscard]] bool axis_of_systems(const layer& set) const {
    const auto own = set.find("system");
    return own == set.end() || own->second.values.size() > 1;
  }

  static std::string shown(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  static std::string identity(const point& of) {
    std::string all = to_flat_json(of.requested).dump();
    if (of.batch_of) all += to_flat_json(*of.batch_of).dump();
    return ess::sha256_hex(all).substr(0, 16);
  }

  [[nodiscard]] failure broken_in(const point& made, const layer& layered, broken_rule broken) const {
    spec_error error{.path = std::string(broken.path),
                     .what = std::move(broken.what),
                     .hint = std::move(broken.hint),
                     .file = doc_.file};
    if (const auto at = layered.find(broken.path); at != layered.end() && at->second.line > 0) {
      error.line = at->second.line;
      error.file = at->second.file;
    }
    error.what += fmt::format(" (point '{}')", made.label);
    return error;
  }

  [[nodiscard]] failure check_twins(const std::vector<point>& points) const {
    std::map<std::string_view, const point*> by_id;
    std::map<std::string_view, const point*> by_label;
    for (const point& p : points) {
      const auto [same, is_new] = by_id.emplace(p.id, &p);
      if (!is_new) {
        return spec_error{
            .path = "extra_points",
            .what = fmt::format("points '{}' and '{}' are the same", same->second->label, p.label),
            .file = doc_.file};
      }
      if (!by_label.emplace(p.label, &p).second) {
        return spec_error{.path = "extra_points",
                          .what = fmt::format("two points are called '{}'", p.label),
                          .file = doc_.file};
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] failure too_many() const {
    return spec_error{.what = fmt::format("more than {} points", most_points),
                      .hint = "shorten the axes",
                      .file = doc_.file};
  }

  const document& doc_;
};

}  // namespace

result<std::vector<point>> expand(const document& from) {
  std::vector<point> points;
  if (auto wrong = expander(from).run(points)) return tl::unexpected(*wrong);
  return points;
}

}  // namespace workloads
