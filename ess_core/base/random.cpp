#include "ess_core/base/random.h"

#include <Random123/philox.h>

namespace ess {

std::array<std::uint32_t, 4> counter_rng::block(std::uint64_t index) const {
  const r123::Philox4x32::ctr_type counter = {
      {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), stream_, purpose_}};
  const r123::Philox4x32::key_type key = {
      {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)}};
  const auto out = r123::Philox4x32{}(counter, key);
  return {out[0], out[1], out[2], out[3]};
}

double counter_rng::uniform(std::uint64_t index) const {
  const auto words = block(index);
  const std::uint64_t bits = (static_cast<std::uint64_t>(words[1]) << 32 | words[0]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

std::uint64_t counter_rng::below(std::uint64_t bound, std::uint64_t index) const {
  const auto words = block(index);
  const std::uint64_t bits = static_cast<std::uint64_t>(words[1]) << 32 | words[0];
  __extension__ using wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<wide>(bits) * bound) >> 64);
}

void counter_rng::fill_unit_variance(std::span<float> out, std::uint64_t first_block) const {
  constexpr float sqrt3 = 1.7320508f;
  const auto centred = [](std::uint32_t half) {  // odd numbers over 2^16: symmetric, never zero
    return static_cast<float>(2 * static_cast<std::int32_t>(half) + 1 - 65536) * 0x1p-16f * sqrt3;
  };
  for (std::size_t done = 0; done < out.size(); done += 8) {
    const auto words = block(first_block + done / 8);
    for (std::size_t i = 0; i < 8 && done + i < out.size(); ++i) {
      out[done + i] = centred(words[i / 2] >> (16 * (i % 2)) & 0xffffu);
    }
  }
}

}  // namespace ess
