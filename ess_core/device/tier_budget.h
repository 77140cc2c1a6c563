// What a device may allocate of each tier.
#pragma once

#include <string_view>

#include "ess_core/device/device.h"

namespace ess {

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

// All that a layout stands for. Throws out_of_memory.
void charge(const memory_layout& layout, byte_count device_limit, byte_count host_limit);

}  // namespace ess
