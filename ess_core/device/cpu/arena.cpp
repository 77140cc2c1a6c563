#include "ess_core/device/cpu/arena.h"

#include <cstring>

namespace ess::cpu {

aligned_bytes::aligned_bytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  data_ = allocate_huge(size);
  std::memset(data_.get(), 0xff, size);
}

}  // namespace ess::cpu
