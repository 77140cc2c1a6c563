// How fast a device moves rows and blocks, each way alone: what a step's transfers can be measured by.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ess_core/device/device.h"

namespace ess {

enum class transfer_kind : std::uint8_t {
  copy_to_device,  // one block, by copy engine
  copy_to_host,
  copy_both,     // both at once, on two streams; `bytes` counts both
  small_copies,  // `rows` copies of a row, one call each
  gather,        // rows at random places of the host tier -> the device, one kernel
  scatter,       // rows of the device -> random places of the host tier, one kernel
  device_copy,   // a block within the device; read and written, so its memory moves twice `bytes`
};
[[nodiscard]] std::string_view to_string(transfer_kind kind);

struct transfer {
  transfer_kind kind = transfer_kind::copy_to_device;
  std::int64_t bytes = 0;  // of a block
  std::int32_t rows = 0;   // of gather, scatter and small_copies
  std::int32_t row_bytes = 656;
  std::int32_t row_pitch = 656;  // from one host row to the next
  std::int32_t blocks = 0;       // of the kernel; 0: as many as a step's

  [[nodiscard]] std::int64_t moved() const { return rows > 0 ? std::int64_t{rows} * row_bytes : bytes; }
};

class transfer_probe {
 public:
  virtual ~transfer_probe() = default;
  [[nodiscard]] virtual clock_kind clock() const = 0;
  // Times of `samples` transfers, after one that does not count. Throws unsupported, and what the device
  // throws.
  [[nodiscard]] virtual std::vector<microseconds> measure(const transfer& what, int samples) = 0;
};

}  // namespace ess
