#include "workloads/rules.h"

#include <fmt/format.h>

#include <array>

#include "ess_core/model/presets.h"
#include "workloads/number_list.h"

namespace workloads {
namespace {

using verdict = std::optional<broken_rule>;

ess::model_dims dims(const settings& s) { return ess::find_model_preset(s.model.preset).value(); }

verdict at_most(std::string_view path, double value, double most, std::string_view whose) {
  if (value <= most) return std::nullopt;
  return broken_rule{path, fmt::format("'{}' is {}, but {} {}", path, value, whose, most)};
}

verdict layers_exist(const settings& s) {
  return at_most("model.layers", s.model.layers, dims(s).layers, fmt::format("{} has", s.model.preset));
}

verdict experts_exist(const settings& s) {
  return at_most("model.experts", s.model.experts, dims(s).moe.experts,
                 fmt::format("{} has", s.model.preset));
}

verdict experts_can_be_chosen(const settings& s) {
  ess::moe_dims moe = dims(s).moe;
  if (s.model.experts == 0 || moe.experts == 0) return std::nullopt;
  moe.experts = s.model.experts;
  const std::string fault = moe.fault();
  if (fault.empty()) return std::nullopt;
  return broken_rule{"model.experts", fmt::format("'model.experts' is {}, but {}", s.model.experts, fault)};
}

verdict slices_are_equal(const settings& s) {
  const int experts = s.model.experts > 0 ? s.model.experts : dims(s).moe.experts;
  if (s.model.ep_slice == 1 || (experts > 0 && experts % s.model.ep_slice == 0)) return std::nullopt;
  return broken_rule{"model.ep_slice", fmt::format("'model.ep_slice' is {}, which does not divide {} experts",
                                                   s.model.ep_slice, experts)};
}

verdict acceptance_is_possible(const settings& s) {
  auto broken = at_most("mtp_accept", s.mtp_accept, s.mtp, "a step has mtp =");
  if (broken) broken->hint = "set both; 'exclude' removes pairs that do not go together";
  return broken;
}

// A text that holds a number in [least, most] for each layer.
verdict a_number_a_layer(const settings& s, std::string_view path, const std::string& text, double least,
                         double most) {
  if (text.empty()) return std::nullopt;
  const auto numbers = parse_number_list(text);
  if (!numbers) {
    return broken_rule{path,
                       fmt::format("'{}' is \"{}\", but must be numbers separated by blanks", path, text)};
  }
  const int layers = s.model.layers > 0 ? s.model.layers : dims(s).layers;
  if (static_cast<int>(numbers->size()) != layers) {
    return broken_rule{
        path, fmt::format("'{}' has {} numbers, but the model {} layers", path, numbers->size(), layers)};
  }
  for (const double number : *numbers) {
    if (number >= least && number <= most) continue;
    return broken_rule{path, fmt::format("'{}' has {}, but must be in [{}, {}]", path, number, least, most)};
  }
  return std::nullopt;
}

verdict weights_of_pools(const settings& s) {
  return a_number_a_layer(s, "pool_weights", s.pool_weights, 0.01, 100);
}

verdict misses_of_layers(const settings& s) {
  return a_number_a_layer(s, "layer_misses", s.layer_misses, 0, 4.0 * dims(s).top_k);
}

verdict prefetch_needs_lru(const settings& s) {
  if (s.prefetch_rows == 0 || s.policy == eviction_policy::lru) return std::nullopt;
  return broken_rule{"prefetch_rows",
                     fmt::format("'prefetch_rows' is {}, but policy '{}' takes no rows ahead",
                                 s.prefetch_rows, to_string(s.policy)),
                     "use policy lru, or 0"};
}

verdict rows_fit_the_pitch(const settings& s) {
  const auto row = static_cast<int>(dims(s).latent_row_bytes().value);
  const int pitch = s.host_row_pitch_bytes;
  if (pitch == 0 || (pitch >= row && pitch % 16 == 0)) return std::nullopt;
  return broken_rule{
      "host_row_pitch_bytes",
      fmt::format("'host_row_pitch_bytes' is {}, but must be 0 or a multiple of 16 from {} on", pitch, row)};
}

verdict samples_in_order(const settings& s) {
  return at_most("measure.min_samples", s.measure.min_samples, s.measure.max_samples,
                 "'measure.max_samples' is");
}

verdict lengths_in_order(const settings& s) {
  const auto& r = s.requests;
  if (s.kind == workload_kind::fixed || !r.trace.empty()) return std::nullopt;
  if (auto broken =
          at_most("requests.prompt_tokens_p50", r.prompt_tokens_p50, r.prompt_tokens_p95, "the p95 is"))
    return broken;
  if (auto broken =
          at_most("requests.prompt_tokens_p95", r.prompt_tokens_p95, r.prompt_tokens_max, "the longest is"))
    return broken;
  if (auto broken =
          at_most("requests.output_tokens_p50", r.output_tokens_p50, r.output_tokens_p95, "the p95 is"))
    return broken;
  return at_most("requests.output_tokens_p95", r.output_tokens_p95, r.output_tokens_max, "the longest is");
}

verdict synthetic_logs_end(const settings& s) {
  if (s.kind == workload_kind::fixed || !s.requests.trace.empty() || s.requests.count > 0)
    return std::nullopt;
  return broken_rule{"requests.count", "'requests.count' is 0, but a synthetic log has no end",
                     "name a log in 'requests.trace' or give a count"};
}

verdict a_request_has_room(const settings& s) {
  if (s.kind == workload_kind::fixed || s.requests.max_context_tokens != 1) return std::nullopt;
  return broken_rule{"requests.max_context_tokens",
                     "'requests.max_context_tokens' is 1, but a request has a prompt and an output token"};
}

}  // namespace

std::optional<broken_rule> check_rules(const settings& of) {
  static constexpr std::array rules = {
      layers_exist,     experts_exist,      experts_can_be_chosen, slices_are_equal,   acceptance_is_possible,
      weights_of_pools, prefetch_needs_lru, misses_of_layers,      rows_fit_the_pitch, samples_in_order,
      lengths_in_order, synthetic_logs_end, a_request_has_room};
  for (const auto rule : rules) {
    if (auto broken = rule(of)) return broken;
  }
  return std::nullopt;
}

}  // namespace workloads
