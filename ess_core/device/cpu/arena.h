// Memory of the CPU device.
#pragma once

#include <cstddef>
#include <memory>

#include "ess_core/device/cpu/kernels/huge_pages.h"

namespace ess::cpu {

// Owned bytes, aligned for vectors, filled with 0xff: a NaN in every format here, so that reading what was
// never written shows.
class aligned_bytes {
 public:
  aligned_bytes() = default;
  explicit aligned_bytes(std::size_t size);

  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  huge_bytes data_;
  std::size_t size_ = 0;
};

}  // namespace ess::cpu
