// A batch for tests: seats at odd positions, and slices of it that do not begin at the first seat.
#pragma once

#include <algorithm>
#include <vector>

#include "ess_core/device/cuda/kernels/lanes.h"
#include "ess_core/device/cuda/kernels/tests/device_memory.h"

namespace ess::ESS_CUDA::test {

struct batch {
  std::vector<seat_state> seats;
  std::int32_t queries;
  std::int32_t first_seat = 1;
  std::int32_t seat_count = static_cast<std::int32_t>(seats.size()) - 2;
  device_array<seat_state> on_device = device_array<seat_state>(seats);

  [[nodiscard]] std::int32_t lanes() const { return static_cast<std::int32_t>(seats.size()) * queries; }
  [[nodiscard]] lane_slice slice() const { return {on_device.data(), first_seat, seat_count, queries}; }
  [[nodiscard]] std::int32_t first_lane() const { return first_seat * queries; }
  [[nodiscard]] std::int32_t end_lane() const { return (first_seat + seat_count) * queries; }
  [[nodiscard]] bool in_slice(std::int32_t lane) const { return lane >= first_lane() && lane < end_lane(); }
  [[nodiscard]] const seat_state& seat_of(std::int32_t lane) const { return seats[lane / queries]; }
  [[nodiscard]] token_id position_of(std::int32_t lane) const {
    return seat_of(lane).position + lane % queries;
  }
};

// Extents in the index of `extent` tokens each, in descending order.
inline std::vector<seat_state> seats_at(const std::vector<token_id>& positions, std::int64_t extent = 0) {
  std::vector<seat_state> seats(positions.size());
  for (std::size_t i = 0; i < seats.size(); ++i) {
    seats[i].position = positions[i];
    seats[i].index_base = static_cast<std::int64_t>(seats.size() - 1 - i) * extent;
  }
  return seats;
}

// Part `index` of a vector cut into parts of n.
template <class T>
std::vector<T> part_of(const std::vector<T>& all, std::size_t n, std::size_t index) {
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(index * n);
  return {first, first + static_cast<std::ptrdiff_t>(n)};
}

// As fresh device memory: not written.
template <class T>
bool is_untouched(const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  return std::all_of(bytes, bytes + values.size() * sizeof(T), [](std::uint8_t b) { return b == 0xff; });
}

// Rows of n values at a pitch, NaN between them.
inline std::vector<float> spread(const std::vector<float>& values, std::size_t n, std::size_t pitch) {
  std::vector<float> out(values.size() / n * pitch, NAN);
  for (std::size_t i = 0; i < values.size(); ++i) out[i / n * pitch + i % n] = values[i];
  return out;
}

}  // namespace ess::ESS_CUDA::test
