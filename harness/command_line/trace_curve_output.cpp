// Curves as a table, CSV and JSON.
#include <nlohmann/json.hpp>
#include <numeric>

#include "harness/command_line/trace_curve.h"

namespace harness {
namespace {

using nlohmann::ordered_json;

std::optional<double> mean(const std::vector<layer_curve>& layers, std::size_t size, std::size_t policy) {
  double sum = 0.0;
  for (const layer_curve& layer : layers) {
    if (!layer.misses[size][policy]) return std::nullopt;
    sum += *layer.misses[size][policy];
  }
  return sum / static_cast<double>(layers.size());
}

layer_curve mean_of(const std::vector<layer_curve>& layers) {
  layer_curve out{.misses = layers[0].misses};
  for (const layer_curve& layer : layers) {
    out.step_overlap += layer.step_overlap / static_cast<double>(layers.size());
    out.asked += layer.asked / static_cast<double>(layers.size());
  }
  for (std::size_t size = 0; size < out.misses.size(); ++size) {
    for (std::size_t policy = 0; policy < out.misses[size].size(); ++policy) {
      out.misses[size][policy] = mean(layers, size, policy);
    }
  }
  return out;
}

class curve_printer {
 public:
  curve_printer(const std::vector<pool_size>& sizes, const std::vector<std::string>& policies)
      : sizes_(sizes), policies_(policies) {}

  [[nodiscard]] ordered_json as_json(const layer_curve& curve) const {
    ordered_json out = {
        {"step_overlap", curve.step_overlap}, {"asked", curve.asked}, {"misses", ordered_json::array()}};
    for (std::size_t size = 0; size < sizes_.size(); ++size) {
      ordered_json& point = out["misses"].emplace_back();
      if (sizes_[size].sparse_ratio) point["sparse_ratio"] = *sizes_[size].sparse_ratio;
      point["pool_rows"] = sizes_[size].rows;
      for (std::size_t policy = 0; policy < policies_.size(); ++policy) {
        const auto& misses = curve.misses[size][policy];
        point[policies_[policy]] = misses ? ordered_json(*misses) : ordered_json(nullptr);
      }
    }
    return out;
  }

  [[nodiscard]] std::string csv_lines(const std::string& name, const layer_curve& curve) const {
    std::string out;
    for (std::size_t size = 0; size < sizes_.size(); ++size) {
      const auto& ratio = sizes_[size].sparse_ratio;
      for (std::size_t policy = 0; policy < policies_.size(); ++policy) {
        const auto& misses = curve.misses[size][policy];
        out += fmt::format("{},{},{},{},{},{},{}\n", name, curve.step_overlap, curve.asked,
                           ratio ? fmt::to_string(*ratio) : "", sizes_[size].rows, policies_[policy],
                           misses ? fmt::to_string(*misses) : "");
      }
    }
    return out;
  }

  [[nodiscard]] std::string heading() const {
    std::string out = fmt::format("{:<6}{:>8}{:>9}", "layer", "overlap", "asked");
    for (const pool_size& size : sizes_) out += fmt::format("{:>{}}", size.name, width());
    return out + "\n";
  }

  [[nodiscard]] std::string row(const std::string& name, const layer_curve& curve) const {
    std::string out = fmt::format("{:<6}{:>8.3f}{:>9.1f}", name, curve.step_overlap, curve.asked);
    for (const auto& size : curve.misses) {
      std::vector<std::string> cells;
      for (const auto& misses : size) cells.push_back(misses ? fmt::format("{:.1f}", *misses) : "-");
      out += fmt::format("{:>{}}", fmt::format("{}", fmt::join(cells, " / ")), width());
    }
    return out + "\n";
  }

 private:
  [[nodiscard]] std::size_t width() const { return std::max<std::size_t>(9 * policies_.size(), 13); }

  const std::vector<pool_size>& sizes_;
  const std::vector<std::string>& policies_;
};

void print_table(const std::vector<layer_curve>& layers, const curve_printer& printer,
                 const std::vector<std::string>& policies) {
  print(printer.heading());
  for (std::size_t i = 0; i < layers.size(); ++i) print(printer.row(std::to_string(i), layers[i]));
  print(printer.row("mean", mean_of(layers)));
  tell(fmt::format("Misses per decode step, {}; the pool starts empty. -: no such pool.",
                   fmt::join(policies, " / ")));
}

}  // namespace

void print_curves(const std::vector<layer_curve>& layers, const std::vector<pool_size>& sizes,
                  const ess::replay_options& replay, const curve_arguments& arguments) {
  const curve_printer printer(sizes, arguments.policies);
  if (arguments.form() == curve_form::table) return print_table(layers, printer, arguments.policies);
  if (arguments.form() == curve_form::csv) {
    print("layer,step_overlap,asked,sparse_ratio,pool_rows,policy,misses\n");
    for (std::size_t i = 0; i < layers.size(); ++i) print(printer.csv_lines(std::to_string(i), layers[i]));
    return print(printer.csv_lines("mean", mean_of(layers)));
  }
  ordered_json out = {{"query_tokens", replay.query_tokens},
                      {"skip_steps", replay.skip_steps},
                      {"layers", ordered_json::array()},
                      {"mean", printer.as_json(mean_of(layers))}};
  for (const layer_curve& layer : layers) out["layers"].push_back(printer.as_json(layer));
  print(out.dump(2) + "\n");
}

}  // namespace harness
