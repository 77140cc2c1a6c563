#include "workloads/rules.h"

#include <fmt/format.h>

#include <array>

#include "ess_core/model/presets.h"

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
      layers_exist,       experts_exist,    experts_can_be_chosen, slices_are_equal,   acceptance_is_possible,
      rows_fit_the_pitch, samples_in_order, lengths_in_order,      synthetic_logs_end, a_request_has_room};
  for (const auto rule : rules) {
    if (auto broken = rule(of)) return broken;
  }
  return std::nullopt;
}

}  // namespace workloads
