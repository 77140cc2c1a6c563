#include "ess_core/device/cpu/arena.h"

#include <cstring>

namespace ess::cpu {

aligned_bytes::aligned_bytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  data_ = allocate_huge(size);
  std::memset(data_.get(), 0xff, size);
}

void tier_budget::take(std::string_view what, byte_count bytes) {
  if (limit_.value > 0 && used_ + bytes > limit_) throw out_of_memory(tier_, what, bytes, used_, limit_);
  used_ += bytes;
}

}  // namespace ess::cpu
