// The operations of a step against the double reference, each from what the device itself gave it.
#pragma once

#include <vector>

#include "harness/accuracy/bounds.h"
#include "harness/accuracy/matrix_cache.h"
#include "harness/accuracy/true_rows.h"

namespace harness {

struct check_context {
  const ess::memory_layout& layout;
  std::uint64_t seed = 0;  // of weights and inputs
  matrix_cache& matrices;
  const true_rows& truth;

  [[nodiscard]] const ess::model_dims& model() const { return layout.model; }
};

// Records of one layer, so that one matrix at a time serves them all.
using layer_records = std::vector<const lane_record*>;
// Of a draft layer.
[[nodiscard]] findings check_draft_input(const check_context& c, const layer_records& records);
[[nodiscard]] findings check_index_projection(const check_context& c, const layer_records& records);
[[nodiscard]] findings check_attention_projection(const check_context& c, const layer_records& records);
[[nodiscard]] findings check_output(const check_context& c, const layer_records& records);
[[nodiscard]] findings check_feed_forward(const check_context& c, const layer_records& records);
// Of a mixture-of-experts layer: route, dispatch, experts, combine.
[[nodiscard]] findings check_experts(const check_context& c, const layer_records& records);

// One record each; independent of one another.
[[nodiscard]] findings check_index_keys(const check_context& c, const lane_record& r);
[[nodiscard]] findings check_selection(const check_context& c, const lane_record& r);
[[nodiscard]] findings check_rows(const check_context& c, const lane_record& r);
[[nodiscard]] findings check_attention(const check_context& c, const lane_record& r);

// max |after - before - added| / max |added|: what is added is small beside the hidden state itself.
[[nodiscard]] double addition_error(const std::vector<float>& before, const std::vector<float>& after,
                                    const std::vector<double>& added);
// silu(gate) x up of [gate, up].
[[nodiscard]] std::vector<double> silu_times(const std::vector<double>& gate_up);

[[nodiscard]] inline place place_of(const lane_record& r) {
  return {.step = r.step, .layer = r.layer, .request = r.seat.request};
}

}  // namespace harness
