// essbench trace curve --published
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ess_core/locality/pool_replay.h"
#include "ess_core/locality/step_overlap.h"
#include "harness/command_line/trace_curve.h"
#include "workloads/locality_check.h"

namespace harness {
namespace {

using nlohmann::ordered_json;
using workloads::figure_comparison;
using workloads::figure_use;

// ---- what is compared ----

std::int32_t first_layer_of(const loaded_trace& loaded, const workloads::locality_model& model) {
  const std::int32_t first =
      loaded.manifest && loaded.manifest->synthesis ? loaded.manifest->synthesis->first_layer : 0;
  const auto layers = static_cast<std::int32_t>(model.layers.size());
  if (first >= 0 && first + loaded.trace.shape.layers <= layers) return first;
  refuse(exit_code::bad_data, fmt::format("the trace holds layers {} to {}, but {} has {}", first,
                                          first + loaded.trace.shape.layers - 1, model.name, layers));
}

void check_setting(const ess::trace_shape& shape, const curve_arguments& arguments,
                   const workloads::locality_model& model) {
  if (shape.top_k != model.top_k) {
    refuse(exit_code::bad_data, fmt::format("the trace has top-k {}, but the figures of {} are of top-k {}",
                                            shape.top_k, model.name, model.top_k));
  }
  if (arguments.query_tokens.value_or(model.query_tokens) != model.query_tokens) {
    refuse(exit_code::usage,
           fmt::format("--mtp {}: the figures of {} are of {} query tokens a step; leave it out",
                       *arguments.query_tokens, model.name, model.query_tokens));
  }
}

std::vector<figure_comparison> compare(const loaded_trace& loaded, const ess::replay_options& replay,
                                       const workloads::locality_model& model) {
  const ess::index_trace& trace = loaded.trace;
  std::vector<ess::miss_curve> curves;
  for (std::int32_t layer = 0; layer < trace.shape.layers; ++layer)
    curves.push_back(ess::lru_miss_curve(trace, layer, replay));
  auto out = workloads::compare_figures(
      model, {.first_layer = first_layer_of(loaded, model),
              .layers = trace.shape.layers,
              .context_tokens = static_cast<double>(trace.shape.final_tokens()),
              .overlap =
                  [&](std::int32_t layer) {
                    return ess::mean_step_overlap(trace, layer, replay.skip_steps * replay.query_tokens);
                  },
              .misses =
                  [&](std::int32_t layer, double ratio) {
                    const ess::miss_curve& curve = curves[static_cast<std::size_t>(layer)];
                    const auto sum =
                        ess::lru_misses(curve, trace, layer, rows_of(ratio, trace.shape), replay);
                    return sum ? static_cast<double>(*sum) / curve.steps : std::nan("");
                  }});
  if (out.empty()) {
    refuse(exit_code::bad_data, fmt::format("{} has no figures of a context of about {} tokens", model.name,
                                            trace.shape.final_tokens()));
  }
  return out;
}

// The verdict is on what the model was fitted to; the rest is shown beside. Nothing where nothing was fitted.
std::optional<bool> agrees_with_fitted(const std::vector<figure_comparison>& all) {
  const auto fitted = [](const figure_comparison& c) { return c.figure->use == figure_use::fit; };
  if (std::ranges::none_of(all, fitted)) return std::nullopt;
  return std::ranges::all_of(all, [&](const figure_comparison& c) { return !fitted(c) || agrees(c); });
}

// ---- how it is shown ----

std::string name_of(const figure_comparison& c) {
  return c.figure->is_overlap() ? "overlap" : fmt::format("ratio {}", *c.figure->sparse_ratio);
}

std::string value(const figure_comparison& c, double v) {
  return c.figure->is_overlap() ? fmt::format("{:.3f}", v) : fmt::format("{:.1f}", v);
}

std::string deviation(const figure_comparison& c, double of, double from) {
  const double off = c.deviation(of, from);
  return c.figure->is_overlap() ? fmt::format("{:+.3f}", off) : fmt::format("{:+.1f} %", 100 * off);
}

std::string layer_rows(const std::vector<figure_comparison>& all) {
  std::string out = fmt::format("{:<6}", "layer");
  const auto by_layer = [](const figure_comparison& c) { return !c.published.empty(); };
  for (const figure_comparison& c : all) out += by_layer(c) ? fmt::format("{:>25}", name_of(c)) : "";
  const std::size_t layers = all[0].measured.size();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    out += fmt::format("\n{:<6}", layer);
    for (const figure_comparison& c : all) {
      if (!by_layer(c)) continue;
      const double ours = c.measured[layer];
      const auto& theirs = c.published[layer];
      out += fmt::format("{:>8}{:>8}{:>9}", value(c, ours), theirs ? fmt::format("{:g}", *theirs) : "-",
                         theirs ? deviation(c, ours, *theirs) : "");
    }
  }
  return out + "\n";
}

std::string summary(const std::vector<figure_comparison>& all) {
  std::string out = fmt::format("\n{:<12}{:<9}{:>9}{:>11}{:>10}{:>16}\n", "mean", "use", "trace", "published",
                                "off by", "layers within");
  for (const figure_comparison& c : all) {
    const std::string within =
        c.published.empty() ? "-" : fmt::format("{} of {}", c.layers_within(), c.layers_published());
    out += fmt::format("{:<12}{:<9}{:>9}{:>11}{:>10}{:>16}  {}\n", name_of(c),
                       c.figure->use == figure_use::fit ? "fitted" : "held out", value(c, c.measured_mean),
                       value(c, c.published_mean), deviation(c, c.measured_mean, c.published_mean), within,
                       agrees(c) ? "agrees" : "differs");
  }
  return out;
}

std::string verdict(const std::vector<figure_comparison>& all) {
  constexpr auto& asked = workloads::tolerance;
  const auto agreed = agrees_with_fitted(all);
  if (!agreed) return "verdict: none, since no figure of this context was fitted\n";
  return fmt::format(
      "verdict: {} the fitted figures (asked: means within {:g} %, {:.0f} % of layers within {:g} %, "
      "overlaps "
      "within {:g})\n",
      *agreed ? "agrees with" : "differs from", 100 * asked.mean_misses, 100 * asked.share_of_layers,
      100 * asked.layer_misses, asked.overlap);
}

std::string csv(const std::vector<figure_comparison>& all) {
  std::string out = "layer,figure,use,trace,published\n";
  for (const figure_comparison& c : all) {
    const char* const use = c.figure->use == figure_use::fit ? "fit" : "check";
    for (std::size_t layer = 0; layer < c.published.size(); ++layer) {
      const auto& theirs = c.published[layer];
      out += fmt::format("{},{},{},{},{}\n", layer, name_of(c), use, c.measured[layer],
                         theirs ? fmt::to_string(*theirs) : "");
    }
    out += fmt::format("mean,{},{},{},{}\n", name_of(c), use, c.measured_mean, c.published_mean);
  }
  return out;
}

ordered_json as_json(const figure_comparison& c) {
  ordered_json out = {{"use", c.figure->use == figure_use::fit ? "fit" : "check"},
                      {"context_tokens", c.figure->context_tokens},
                      {"what", c.figure->is_overlap() ? "overlap" : "misses"},
                      {"trace_mean", c.measured_mean},
                      {"published_mean", c.published_mean},
                      {"mean_deviation", c.mean_deviation()},
                      {"agrees", agrees(c)},
                      {"trace", c.measured}};
  if (c.figure->sparse_ratio) out["sparse_ratio"] = *c.figure->sparse_ratio;
  if (c.published.empty()) return out;
  out["layers_within"] = c.layers_within();
  out["layers_published"] = c.layers_published();
  for (const auto& theirs : c.published) {
    out["published"].push_back(theirs ? ordered_json(*theirs) : ordered_json(nullptr));
  }
  return out;
}

std::string json(const std::vector<figure_comparison>& all, const ess::replay_options& replay,
                 const workloads::locality_model& model) {
  ordered_json out = {{"model", model.name},
                      {"source", model.source},
                      {"query_tokens", replay.query_tokens},
                      {"skip_steps", replay.skip_steps},
                      {"agrees", nullptr},
                      {"figures", ordered_json::array()}};
  if (const auto agreed = agrees_with_fitted(all)) out["agrees"] = *agreed;
  for (const figure_comparison& c : all) out["figures"].push_back(as_json(c));
  return out.dump(2) + "\n";
}

}  // namespace

exit_code compare_with_published(const loaded_trace& loaded, const curve_arguments& arguments) {
  const auto model = taken(workloads::load_locality(taken(workloads::find_locality(arguments.published))));
  check_setting(loaded.trace.shape, arguments, model);
  const ess::replay_options replay = replay_of(loaded, arguments, model.query_tokens);
  const auto all = compare(loaded, replay, model);
  if (arguments.form() == curve_form::json) {
    print(json(all, replay, model));
  } else if (arguments.form() == curve_form::csv) {
    print(csv(all));
  } else {
    print(layer_rows(all) + summary(all) + verdict(all));
    tell(fmt::format("Published: {}.", model.source));
  }
  return agrees_with_fitted(all).value_or(true) ? exit_code::ok : exit_code::points_failed;
}

}  // namespace harness
