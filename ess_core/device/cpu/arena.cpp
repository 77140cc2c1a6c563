#include "ess_core/device/cpu/arena.h"

#include <cstring>
#include <new>

namespace ess::cpu {
namespace {

constexpr std::align_val_t alignment{64};

}  // namespace

aligned_bytes::aligned_bytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  data_.reset(static_cast<std::byte*>(::operator new(size, alignment)));
  std::memset(data_.get(), 0xff, size);
}

void aligned_bytes::release::operator()(std::byte* p) const { ::operator delete(p, alignment); }

void tier_budget::take(std::string_view what, byte_count bytes) {
  if (limit_.value > 0 && used_ + bytes > limit_) throw out_of_memory(tier_, what, bytes, used_, limit_);
  used_ += bytes;
}

}  // namespace ess::cpu
