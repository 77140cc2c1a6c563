// Whom a kernel works for, and where the latent rows of a request lie: parts of its parameters.
#pragma once

#include <cstdint>

#include "ess_core/device/cuda/platform.h"
#include "ess_core/device/seat_state.h"

namespace ess::ESS_CUDA {

// A slice of the batch. Lane = seat x query tokens + query; kernels are given lanes of the whole batch.
struct lane_slice {
  const seat_state* seats;  // [all seats]
  std::int32_t first_seat;
  std::int32_t seat_count;
  std::int32_t queries;  // query tokens a seat

  [[nodiscard]] __host__ __device__ std::int32_t first_lane() const { return first_seat * queries; }
  [[nodiscard]] __host__ __device__ std::int32_t lane_count() const { return seat_count * queries; }
  [[nodiscard]] __device__ const seat_state& seat_of(std::int32_t lane) const {
    return seats[lane / queries];
  }
  [[nodiscard]] __device__ std::int32_t position_of(std::int32_t lane) const {
    return seat_of(lane).position + lane % queries;
  }
};

// Latent rows on the device, of one layer. ess::memory_layout says what a layer's weight is.
struct device_rows {
  std::uint8_t* latents;   // first row of the copy that serves the layer
  std::uint8_t* staging;   // first row of all staging
  std::int32_t row_bytes;  // multiple of 16
  std::uint32_t weight;    // of the layer's pool in 1 / 65,536

  [[nodiscard]] __device__ std::int64_t rows_in(std::int64_t rows) const { return rows * weight / 65536; }
  // Locations from here on are staging rows.
  [[nodiscard]] __device__ std::int64_t held(const seat_state& seat) const {
    return rows_in(seat.device_rows);
  }
  // `location` without flag.
  [[nodiscard]] __device__ std::uint8_t* row_at(const seat_state& seat, std::int64_t location) const {
    const std::int64_t in_staging = location - held(seat);
    return in_staging < 0 ? latents + (rows_in(seat.device_base) + location) * row_bytes
                          : staging + (seat.staging_base + in_staging) * row_bytes;
  }
};

}  // namespace ess::ESS_CUDA
