#include "ess_core/engine/prefill.h"

#include <algorithm>

#include "ess_core/base/parallel.h"
#include "ess_core/base/random.h"
#include "ess_core/layout/index_key.h"
#include "ess_core/layout/latent_row.h"

namespace ess {
namespace {

counter_rng stream_of(std::uint64_t seed, purpose what, request_id request, std::int32_t layer) {
  return counter_rng(seed, what,
                     static_cast<std::uint32_t>(request) * 1024 + static_cast<std::uint32_t>(layer));
}

// Some tokens matter more than others whatever is asked: their keys are larger. Without such a part, overlap
// and misses cannot both be where the paper has them (docs/method.md, "Locality").
constexpr double salient_share = 0.18;
constexpr float salient_gain = 3.5f;

// The `token`-th vector of a stream.
void fill(const counter_rng& rng, token_id token, std::span<float> out) {
  rng.fill_unit_variance(out, static_cast<std::uint64_t>(token) * ((out.size() + 7) / 8));
}

}  // namespace

void prefill_source::make_latent_row(request_id request, std::int32_t layer, token_id token,
                                     std::span<std::uint8_t> row) const {
  std::vector<float> values(static_cast<std::size_t>(model_.absorbed_dim()));
  fill(stream_of(seed_, purpose::latent_rows, prompt_of(request), layer), token, values);
  const auto latent = static_cast<std::size_t>(model_.kv_lora);
  pack_latent_row(std::span(values).first(latent), std::span(values).subspan(latent), row);
}

void prefill_source::make_index_key(request_id request, std::int32_t layer, token_id token,
                                    std::span<float> values) const {
  fill(stream_of(seed_, purpose::index_keys, prompt_of(request), layer), token, values);
  const counter_rng salience = stream_of(seed_, purpose::key_salience, prompt_of(request), layer);
  if (salience.uniform(static_cast<std::uint64_t>(token)) >= salient_share) return;
  for (float& value : values) value *= salient_gain;
}

// A part of a layer: tokens [first, end), whole pages but for the last.
void prefill_source::make_part(request_id request, std::int32_t layer, token_id first, token_id end,
                               prefill_result& out) const {
  const auto row = static_cast<std::size_t>(model_.latent_row_bytes().value);
  const index_page_format format{.dim = model_.index_dim};
  const auto pages = static_cast<std::size_t>(format.bytes_for(out.tokens));
  const auto at = static_cast<std::size_t>(layer);
  const std::span<std::uint8_t> rows =
      std::span(out.latents).subspan(at * static_cast<std::size_t>(out.tokens) * row);
  const std::span<std::uint8_t> keys = std::span(out.index).subspan(at * pages, pages);
  std::vector<float> values(static_cast<std::size_t>(model_.index_dim));
  std::vector<std::uint8_t> codes(values.size());
  for (token_id token = first; token < end; ++token) {
    make_latent_row(request, layer, token, rows.subspan(static_cast<std::size_t>(token) * row, row));
    make_index_key(request, layer, token, values);
    const float scale = quantise_index_vector(values, codes);
    pack_index_key(codes, scale, token, keys);
  }
}

prefill_result prefill_source::make(request_id request, token_id tokens) const {
  const index_page_format format{.dim = model_.index_dim};
  const auto layers = static_cast<std::size_t>(model_.layers);
  prefill_result out{
      .tokens = tokens,
      .latents = std::vector<std::uint8_t>(layers * static_cast<std::size_t>(tokens) *
                                           static_cast<std::size_t>(model_.latent_row_bytes().value)),
      .index = std::vector<std::uint8_t>(layers * static_cast<std::size_t>(format.bytes_for(tokens)))};
  constexpr token_id part = 16 * index_page_tokens;
  const auto parts = static_cast<std::size_t>((tokens + part - 1) / part);
  for_each_parallel(layers * parts, 0, [&](std::size_t i) {
    const auto first = static_cast<token_id>(i % parts) * part;
    make_part(request, static_cast<std::int32_t>(i / parts), first, std::min(tokens, first + part), out);
  });
  return out;
}

const std::vector<std::vector<token_id>>* prefill_source::window_ids(request_id request,
                                                                     token_id tokens) const {
  const auto found = window_ids_.find({request, tokens});
  return found == window_ids_.end() ? nullptr : &found->second;
}

void prefill_source::keep_window_ids(request_id request, token_id tokens,
                                     std::vector<std::vector<token_id>> ids) {
  window_ids_[{request, tokens}] = std::move(ids);
}

std::shared_ptr<const prefill_result> prefill_source::get(request_id request, token_id tokens) {
  std::shared_ptr<const prefill_result>& kept = kept_[prompt_of(request)];
  if (!kept || kept->tokens != tokens) kept = std::make_shared<prefill_result>(make(request, tokens));
  return kept;
}

}  // namespace ess
