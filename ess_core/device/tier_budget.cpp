#include "ess_core/device/tier_budget.h"

namespace ess {

void tier_budget::take(std::string_view what, byte_count bytes) {
  if (limit_.value > 0 && used_ + bytes > limit_) throw out_of_memory(tier_, what, bytes, used_, limit_);
  used_ += bytes;
}

void charge(const memory_layout& layout, byte_count device_limit, byte_count host_limit) {
  tier_budget device_tier(memory_tier::device, device_limit);
  tier_budget host_tier(memory_tier::host, host_limit);
  for (const memory_item& item : memory_items(layout)) {
    (item.tier == memory_tier::device ? device_tier : host_tier).take(item.what, item.bytes);
  }
}

}  // namespace ess
