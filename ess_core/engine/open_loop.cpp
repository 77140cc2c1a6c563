#include "ess_core/engine/open_loop.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ess_core/base/random.h"
#include "ess_core/model/weights.h"

namespace ess {
namespace {

constexpr std::size_t chunk = 8;  // values of one block of random numbers

// Values of the vector that belongs to `knot`, in chunks.
class knot_vectors {
 public:
  knot_vectors(const token_source& source, std::uint32_t part, std::size_t size)
      : rng_(source.seed, purpose::hidden_state,
             static_cast<std::uint32_t>(source.request) * hidden_parts + part),
        chunks_(size / chunk) {}

  [[nodiscard]] std::array<float, chunk> at(std::uint64_t knot, std::size_t index) const {
    std::array<float, chunk> out;
    rng_.fill_unit_variance(out, knot * chunks_ + index);
    return out;
  }
  [[nodiscard]] std::size_t chunks() const { return chunks_; }

 private:
  counter_rng rng_;
  std::size_t chunks_;
};

void fill_constant(const knot_vectors& vectors, std::uint64_t knot, std::span<float> out) {
  for (std::size_t i = 0; i < vectors.chunks(); ++i) {
    const auto values = vectors.at(knot, i);
    std::copy(values.begin(), values.end(), out.begin() + static_cast<std::ptrdiff_t>(i * chunk));
  }
}

// Between two knots: a blend, scaled back to unit variance.
void fill_drifting(const knot_vectors& vectors, token_id position, token_id period, std::span<float> out) {
  const auto knot = static_cast<std::uint64_t>(position / period);
  const float share = static_cast<float>(position % period) / static_cast<float>(period);
  const float norm = 1.0f / std::sqrt((1.0f - share) * (1.0f - share) + share * share);
  for (std::size_t i = 0; i < vectors.chunks(); ++i) {
    const auto from = vectors.at(knot, i);
    const auto to = vectors.at(knot + 1, i);
    for (std::size_t n = 0; n < chunk; ++n)
      out[i * chunk + n] = (from[n] * (1.0f - share) + to[n] * share) * norm;
  }
}

}  // namespace

void fill_hidden_state(const token_source& source, std::span<float> out) {
  const std::size_t size = out.size() / hidden_parts;
  const auto part = [&](std::size_t index) { return out.subspan(index * size, size); };
  fill_constant({source, 0, size}, 0, part(0));
  fill_drifting({source, 1, size}, source.position, slow_period, part(1));
  fill_drifting({source, 2, size}, source.position, fast_period, part(2));
  const auto draw =
      static_cast<std::uint64_t>(source.position) * 64 + static_cast<std::uint64_t>(source.attempt);
  fill_constant({source, 3, size}, draw, part(3));
}

}  // namespace ess
