// Memory of one tier of the CPU device, under a byte budget.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "ess_core/device/cpu/kernels/huge_pages.h"
#include "ess_core/device/device.h"

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

// Counts what is taken from a tier. A budget of 0 bytes means no limit.
class tier_budget {
 public:
  tier_budget(memory_tier tier, byte_count limit) : tier_(tier), limit_(limit) {}

  // Throws out_of_memory, and counts nothing, if `bytes` exceed what is left.
  void take(std::string_view what, byte_count bytes);
  [[nodiscard]] byte_count used() const { return used_; }

 private:
  memory_tier tier_;
  byte_count limit_;
  byte_count used_;
};

}  // namespace ess::cpu
