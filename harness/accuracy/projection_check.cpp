#include <algorithm>
#include <cstring>

#include "ess_core/engine/open_loop.h"
#include "ess_core/layout/rope.h"
#include "ess_core/reference/attention.h"
#include "ess_core/reference/indexer.h"
#include "ess_core/reference/linear.h"
#include "harness/accuracy/checks.h"
#include "harness/accuracy/code_match.h"

namespace harness {
namespace {

namespace reference = ess::reference;
using ess::weight_kind;
using vectors = std::vector<std::vector<double>>;

struct rotation {
  std::vector<float> cos, sin;
};

rotation rotation_at(const ess::model_dims& m, ess::token_id position) {
  const std::vector<double> frequencies = ess::rope_inverse_frequencies(m.rotary, m.rope);
  rotation out{std::vector<float>(frequencies.size()), std::vector<float>(frequencies.size())};
  ess::rope_cos_sin(frequencies, position, std::span<float>(out.cos), std::span<float>(out.sin));
  return out;
}

std::vector<double> plain_rms_norm(std::span<const float> x) {
  return reference::rms_norm(x, std::vector<float>(x.size(), 1.0f));
}

vectors normed_inputs(const layer_records& records) {
  vectors out;
  for (const lane_record* r : records) out.push_back(plain_rms_norm(r->hidden_in));
  return out;
}

vectors q_resid_of(const layer_records& records) {
  vectors out;
  for (const lane_record* r : records) out.emplace_back(r->q_resid.begin(), r->q_resid.end());
  return out;
}

vectors product(const check_context& c, const layer_records& records, weight_kind kind, const vectors& xs) {
  return multiply(*c.matrices.get(c.model(), c.seed, records.front()->layer, kind), xs);
}

std::vector<float> ready_to_quantise(std::span<const float> values, const rotation& at) {
  return reference::transformed_index_vector(reference::rotated_index_vector(values, at.cos, at.sin));
}

// Inputs of a step's first layer are drawn, so nothing else may stand there.
void check_input(const check_context& c, const lane_record& r, findings& out) {
  if (r.layer != 0) return;
  std::vector<float> want(r.hidden_in.size());
  const auto query = static_cast<std::int32_t>(r.position - r.seat.position);
  ess::fill_hidden_state({.seed = c.seed,
                          .request = r.seat.request,
                          .position = r.position,
                          .attempt = ess::attempt_of(query, r.seat.kept)},
                         want);
  std::int64_t differing = 0;
  for (std::size_t i = 0; i < want.size(); ++i) differing += want[i] == r.hidden_in[i] ? 0 : 1;
  out.add("project_index.input_differing", static_cast<double>(differing), place_of(r));
}

code_difference check_key(const check_context& c, const lane_record& r, const std::vector<double>& raw,
                          const std::vector<float>& norm) {
  const auto dim = static_cast<std::size_t>(c.model().index_dim);
  const auto key = reference::to_float(reference::layer_norm(
      reference::to_float(raw), std::span(norm).first(dim), std::span(norm).subspan(dim, dim)));
  float scale = 0;
  std::memcpy(&scale, r.index_key_new.data() + dim, sizeof scale);
  return compare_codes(ready_to_quantise(key, rotation_at(c.model(), r.position)),
                       std::span(r.index_key_new).first(dim), scale, index_rule);
}

// The device folds the scale of a query into its head's weight, so codes have to show which it was.
code_difference check_query(const check_context& c, const lane_record& r, const std::vector<double>& query,
                            const std::vector<double>& raw_weight, findings& out) {
  const auto dim = static_cast<std::size_t>(c.model().index_dim);
  const rotation at = rotation_at(c.model(), r.position);
  const std::vector<float> values = reference::to_float(query);
  code_difference sum;
  std::vector<float> scales;
  for (std::size_t head = 0; head < raw_weight.size(); ++head) {
    const auto of_head = ready_to_quantise(std::span(values).subspan(head * dim, dim), at);
    const auto found = compare_codes(of_head, std::span(r.index_query).subspan(head * dim, dim), index_rule);
    scales.push_back(found.scale);
    sum += found;
  }
  const auto want =
      reference::folded_index_weights(reference::to_float(raw_weight), scales, c.model().index_dim);
  out.add("project_index.head_weight", relative_error(r.index_weight, want), place_of(r));
  return sum;
}

// Rotated, normalised, not yet packed.
std::vector<float> latent_row_values(const check_context& c, const lane_record& r,
                                     const std::vector<double>& raw) {
  const std::vector<float> values = reference::to_float(raw);
  const auto kv_lora = static_cast<std::size_t>(c.model().kv_lora);
  const rotation at = rotation_at(c.model(), r.position);
  std::vector<double> out = plain_rms_norm(std::span(values).first(kv_lora));
  const auto rotary = reference::rotated_key(std::span(values).subspan(kv_lora), at.cos, at.sin);
  out.insert(out.end(), rotary.begin(), rotary.end());
  return reference::to_float(out);
}

}  // namespace

findings check_draft_input(const check_context& c, const layer_records& records) {
  findings out;
  vectors inputs;
  std::vector<float> following(static_cast<std::size_t>(c.model().hidden));
  for (const lane_record* r : records) {
    ess::fill_hidden_state({.seed = c.seed, .request = r->seat.request, .position = r->position + 1},
                           following);
    std::vector<double> both = plain_rms_norm(r->hidden_before_draft);
    const std::vector<double> next = plain_rms_norm(following);
    both.insert(both.end(), next.begin(), next.end());
    inputs.push_back(std::move(both));
  }
  const vectors want = product(c, records, weight_kind::draft_in, inputs);
  for (std::size_t i = 0; i < records.size(); ++i) {
    out.add("draft.hidden", relative_error(records[i]->hidden_in, want[i]), place_of(*records[i]));
  }
  return out;
}

findings check_index_projection(const check_context& c, const layer_records& records) {
  findings out;
  code_difference all;  // one rounding before the Hadamard transform moves several codes: a share needs many
  const vectors x = normed_inputs(records);
  const vectors q = product(c, records, weight_kind::q_a, x);
  const vectors keys = product(c, records, weight_kind::index_k, x);
  const vectors weights = product(c, records, weight_kind::index_head_weight, x);
  const vectors queries = product(c, records, weight_kind::index_q, q_resid_of(records));
  const matrix norm = c.matrices.get(c.model(), c.seed, records.front()->layer, weight_kind::index_k_norm);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const lane_record& r = *records[i];
    check_input(c, r, out);
    out.add("project_index.q_resid", relative_error(r.q_resid, plain_rms_norm(reference::to_float(q[i]))),
            place_of(r));
    code_difference codes = check_key(c, r, keys[i], *norm);
    codes += check_query(c, r, queries[i], weights[i], out);
    out.add("project_index.code_distance", codes.distance, place_of(r));
    all += codes;
  }
  out.add("project_index.code_share", all.share(),
          {.step = records.back()->step, .layer = records.back()->layer});
  return out;
}

findings check_attention_projection(const check_context& c, const layer_records& records) {
  findings out;
  code_difference all;
  const vectors latents = product(c, records, weight_kind::kv_a, normed_inputs(records));
  const vectors queries = product(c, records, weight_kind::q_b, q_resid_of(records));
  const matrix key_up = c.matrices.get(c.model(), c.seed, records.front()->layer, weight_kind::k_up);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const lane_record& r = *records[i];
    const rotation at = rotation_at(c.model(), r.position);
    const auto query =
        reference::absorbed_query(reference::to_float(queries[i]), *key_up, c.model().heads, at.cos, at.sin);
    out.add("project_attention.query", relative_error(r.query, query), place_of(r));
    const code_difference codes =
        compare_latent_row(latent_row_values(c, r, latents[i]), r.latent_new, c.model().kv_lora, latent_rule);
    out.add("project_attention.code_distance", codes.distance, place_of(r));
    all += codes;
  }
  out.add("project_attention.code_share", all.share(),
          {.step = records.back()->step, .layer = records.back()->layer});
  return out;
}

}  // namespace harness
