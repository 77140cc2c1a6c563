// From prefill to the first decode step: a prompt's latent rows and index keys go to their places, the pool
// is warmed.
#include "ess_core/engine/decode_engine.h"

namespace ess {

bool decode_engine::lands() const { return options_.layout.landing_rows > 0; }

void decode_engine::hand_over(batch_slice slice) {
  for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
    const seat& s = seats_[static_cast<std::size_t>(i)];
    if (device_.has_values()) {
      const auto prompt = prefill_.get(s.what.id, s.what.prompt_tokens);
      place_index_keys(s, *prompt);
      place_latents(s, *prompt);
    }
    device_.reset_pool(s.state);
  }
  warm_up(slice);
  if (lands()) store_landed(slice);
  handed_over_.requests += slice.count;
}

void decode_engine::place_index_keys(const seat& s, const prefill_result& prompt) {
  const memory_layout& l = options_.layout;
  const std::size_t pages = prompt.index.size() / static_cast<std::size_t>(l.model.layers);
  for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
    device_.write(
        buffer_id::index_keys,
        (layer * l.index_tokens + s.state.index_base) * l.model.index_key_bytes().value,
        std::as_bytes(std::span(prompt.index).subspan(static_cast<std::size_t>(layer) * pages, pages)));
  }
}

// To the landing area, or at once to where the system keeps its full cache.
void decode_engine::place_latents(const seat& s, const prefill_result& prompt) {
  const memory_layout& l = options_.layout;
  const std::int64_t row = l.model.latent_row_bytes().value;
  const std::int64_t bytes = s.what.prompt_tokens * row;
  for (std::int32_t layer = 0; layer < l.model.layers; ++layer) {
    const auto rows =
        std::as_bytes(std::span(prompt.latents)
                          .subspan(static_cast<std::size_t>(layer * bytes), static_cast<std::size_t>(bytes)));
    if (lands()) {
      device_.write(buffer_id::landing, layer * l.landing_rows * row, rows);
    } else if (system_.home() == latent_home::device) {
      device_.write(buffer_id::latents, place_of(l, s.state, layer, 0).row * row, rows);
    } else {
      write_host_rows(layer * l.host_rows + s.state.host_base, rows);
    }
  }
}

void decode_engine::write_host_rows(std::int64_t first, std::span<const std::byte> rows) {
  const std::int64_t row = options_.layout.model.latent_row_bytes().value;
  const std::int64_t pitch = options_.layout.host_row_pitch;
  if (pitch == row) return device_.write(buffer_id::host_latents, first * pitch, rows);
  for (std::int64_t at = 0; at * row < static_cast<std::int64_t>(rows.size()); ++at) {
    device_.write(buffer_id::host_latents, (first + at) * pitch,
                  rows.subspan(static_cast<std::size_t>(at * row), static_cast<std::size_t>(row)));
  }
}

void decode_engine::store_landed(batch_slice slice) {
  const memory_layout& l = options_.layout;
  write_inputs(0);
  run_between_steps(build_store_landed_step(l.model, l.shape, system_, slice));
  for (std::int32_t i = slice.first; i < slice.first + slice.count; ++i) {
    handed_over_.rows_out +=
        std::int64_t{seats_[static_cast<std::size_t>(i)].what.prompt_tokens} * l.model.layers;
  }
}

// Set-up takes no time that counts, so its transfers need not wait for a paced link.
void decode_engine::run_between_steps(const step_program& program) {
  if (options_.hand_over_clock == hand_over_timing::as_in_service) {
    handed_over_.time += device_.run(program).total;
  } else {
    device_.run(program, [](const operation&) {});
  }
}

}  // namespace ess
