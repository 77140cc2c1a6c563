#include "ess_core/device/cpu/kernels/huge_pages.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace ess::cpu {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

}  // namespace

void free_bytes::operator()(std::byte* p) const { std::free(p); }

huge_bytes allocate_huge(std::size_t size) {
  const std::size_t alignment = size >= huge_page ? huge_page : 64;
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(alignment, rounded));
  if (memory == nullptr) throw std::bad_alloc();
  if (alignment == huge_page) (void)madvise(memory, rounded, MADV_HUGEPAGE);  // refusal costs time only
  return huge_bytes(memory);
}

}  // namespace ess::cpu
