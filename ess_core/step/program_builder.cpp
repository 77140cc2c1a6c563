#include "ess_core/step/program_builder.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

namespace ess {
namespace {

// Adds, to operations in their final order, the waits between streams.
class wait_deriver {
 public:
  explicit wait_deriver(step_program& program) : program_(program), on_stream_(stream_count) {}

  void run() {
    for (std::size_t i = 0; i < program_.operations.size(); ++i) {
      operation& op = program_.operations[i];
      op.accesses = accesses_of(op, program_.latent_copies);
      derive_waits(op);
      on_stream_[static_cast<std::size_t>(op.stream)].push_back(static_cast<std::int32_t>(i));
    }
  }

 private:
  // Waits for the latest conflicting operation of every other stream, unless the own stream or another of
  // these waits already implies it.
  void derive_waits(operation& op) {
    const auto own = static_cast<std::size_t>(op.stream);
    std::vector<std::int32_t> known(stream_count, 0);
    if (!on_stream_[own].empty()) known = known_[static_cast<std::size_t>(on_stream_[own].back())];
    known[own] = static_cast<std::int32_t>(on_stream_[own].size());
    std::vector<std::int32_t> wanted;
    for (std::size_t s = 0; s < stream_count; ++s) {
      if (s == own) continue;
      if (const auto latest = latest_conflict(op, s, known[s])) wanted.push_back(*latest);
    }
    op.waits.clear();
    for (const std::int32_t candidate : wanted) {
      const bool implied = std::ranges::any_of(
          wanted, [&](std::int32_t other) { return other != candidate && knows(other, candidate); });
      if (!implied) op.waits.push_back(candidate);
      const auto& also = known_[static_cast<std::size_t>(candidate)];
      for (std::size_t k = 0; k < stream_count; ++k) known[k] = std::max(known[k], also[k]);
      const auto s =
          static_cast<std::size_t>(program_.operations[static_cast<std::size_t>(candidate)].stream);
      known[s] = std::max(known[s], place_[static_cast<std::size_t>(candidate)] + 1);
    }
    place_.push_back(static_cast<std::int32_t>(on_stream_[own].size()));
    known_.push_back(std::move(known));
  }

  [[nodiscard]] std::optional<std::int32_t> latest_conflict(const operation& op, std::size_t stream,
                                                            std::int32_t known) const {
    for (auto n = static_cast<std::int32_t>(on_stream_[stream].size()); n > known; --n) {
      const std::int32_t candidate = on_stream_[stream][static_cast<std::size_t>(n - 1)];
      if (conflict(program_.operations[static_cast<std::size_t>(candidate)], op)) return candidate;
    }
    return std::nullopt;
  }

  // Whether `earlier` has ended whenever `op` starts.
  [[nodiscard]] bool knows(std::int32_t op, std::int32_t earlier) const {
    const auto stream =
        static_cast<std::size_t>(program_.operations[static_cast<std::size_t>(earlier)].stream);
    return known_[static_cast<std::size_t>(op)][stream] > place_[static_cast<std::size_t>(earlier)];
  }

  step_program& program_;
  // For every operation so far: per stream, how many of that stream's operations are known to be complete
  // when it starts (a vector clock).
  std::vector<std::vector<std::int32_t>> known_;
  std::vector<std::int32_t> place_;  // of every operation so far: how many come before it on its stream
  std::vector<std::vector<std::int32_t>> on_stream_;
};

}  // namespace

std::vector<batch_slice> halves_of(batch_slice slice) {
  const std::int32_t first = (slice.count + 1) / 2;
  std::vector<batch_slice> parts = {{slice.first, first}};
  if (slice.count > 1) parts.push_back({slice.first + first, slice.count - first});
  return parts;
}

program_builder::program_builder(const model_dims& model, batch_shape shape, std::int32_t latent_copies)
    : model_(model) {
  program_.layers = model.layers;
  program_.seats = shape.seats;
  program_.query_tokens = shape.query_tokens;
  program_.latent_copies = latent_copies;
}

void program_builder::add(operation op) { parts_.back().push_back(std::move(op)); }

void program_builder::pause() { parts_.emplace_back(); }

void program_builder::take_turns_with(program_builder other, std::size_t lead) {
  std::vector<std::vector<operation>> mixed;
  for (std::size_t i = 0; i < std::max(parts_.size(), lead + other.parts_.size()); ++i) {
    if (i < parts_.size()) mixed.push_back(std::move(parts_[i]));
    if (i >= lead && i - lead < other.parts_.size()) mixed.push_back(std::move(other.parts_[i - lead]));
  }
  parts_ = std::move(mixed);
}

step_program program_builder::finish() && {
  for (std::vector<operation>& part : parts_) {
    std::ranges::move(part, std::back_inserter(program_.operations));
  }
  wait_deriver(program_).run();
  static std::atomic<std::uint64_t> last_id{0};
  program_.id = ++last_id;
  return std::move(program_);
}

}  // namespace ess
