#include "harness/accuracy/true_rows.h"

#include <algorithm>
#include <cstring>

#include "ess_core/layout/index_key.h"

namespace harness {

true_rows::true_rows(const ess::model_dims& model, ess::prefill_source& prefill,
                     const std::vector<ess::request>& requests, const std::vector<lane_record>& lanes)
    : model_(model), prefill_(prefill), requests_(requests), lanes_(lanes) {}

ess::token_id true_rows::prompt_of(ess::request_id request) const {
  const auto found = std::ranges::find(requests_, request, &ess::request::id);
  return found == requests_.end() ? 0 : found->prompt_tokens;
}

// The last one, since a rejected draft token's row is replaced in a later step.
const lane_record* true_rows::maker(const lane_record& at, ess::token_id token) const {
  const lane_record* last = nullptr;
  for (const lane_record& r : lanes_) {
    if (r.step <= at.step && r.layer == at.layer && r.seat.request == at.seat.request &&
        r.position == token) {
      last = &r;
    }
  }
  return last;
}

std::vector<std::uint8_t> true_rows::latent_row(const lane_record& at, ess::token_id token) const {
  if (token >= prompt_of(at.seat.request)) {
    const lane_record* made = maker(at, token);
    return made == nullptr ? std::vector<std::uint8_t>() : made->latent_new;
  }
  std::vector<std::uint8_t> row(static_cast<std::size_t>(model_.latent_row_bytes().value));
  prefill_.make_latent_row(at.seat.request, at.layer, token, row);
  return row;
}

std::vector<std::uint8_t> true_rows::index_key(const lane_record& at, ess::token_id token) const {
  if (token >= prompt_of(at.seat.request)) {
    const lane_record* made = maker(at, token);
    return made == nullptr ? std::vector<std::uint8_t>() : made->index_key_new;
  }
  const auto dim = static_cast<std::size_t>(model_.index_dim);
  std::vector<float> values(dim);
  prefill_.make_index_key(at.seat.request, at.layer, token, values);
  std::vector<std::uint8_t> key(dim + sizeof(float));
  const float scale = ess::quantise_index_vector(values, std::span(key).first(dim));
  std::memcpy(key.data() + dim, &scale, sizeof scale);
  return key;
}

}  // namespace harness
