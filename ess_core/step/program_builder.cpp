#include "ess_core/step/program_builder.h"

#include <algorithm>
#include <utility>

namespace ess {

program_builder::program_builder(const model_dims& model, batch_shape shape, std::int32_t latent_copies)
    : model_(model), on_stream_(stream_count) {
  program_.layers = model.layers;
  program_.seats = shape.seats;
  program_.query_tokens = shape.query_tokens;
  program_.latent_copies = latent_copies;
}

void program_builder::add(operation op) {
  op.accesses = accesses_of(op, program_.latent_copies);
  derive_waits(op);
  on_stream_[static_cast<std::size_t>(op.stream)].push_back(
      static_cast<std::int32_t>(program_.operations.size()));
  program_.operations.push_back(std::move(op));
}

// Waits for the latest conflicting operation of every other stream, unless an earlier wait already implies
// it.
void program_builder::derive_waits(operation& op) {
  op.waits.clear();
  const auto own = static_cast<std::size_t>(op.stream);
  std::vector<std::int32_t> known(stream_count, 0);
  if (!on_stream_[own].empty()) known = known_[static_cast<std::size_t>(on_stream_[own].back())];
  known[own] = static_cast<std::int32_t>(on_stream_[own].size());
  for (std::size_t s = 0; s < stream_count; ++s) {
    if (s == own) continue;
    for (auto n = static_cast<std::int32_t>(on_stream_[s].size()); n > known[s]; --n) {
      const std::int32_t candidate = on_stream_[s][static_cast<std::size_t>(n - 1)];
      if (!conflict(program_.operations[static_cast<std::size_t>(candidate)], op)) continue;
      op.waits.push_back(candidate);
      const auto& implied = known_[static_cast<std::size_t>(candidate)];
      for (std::size_t k = 0; k < stream_count; ++k) known[k] = std::max(known[k], implied[k]);
      known[s] = n;
      break;
    }
  }
  known_.push_back(std::move(known));
}

step_program program_builder::finish() && { return std::move(program_); }

}  // namespace ess
