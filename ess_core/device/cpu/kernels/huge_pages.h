// Large memory on large pages: streams of weights and gathers of scattered rows otherwise spend their time in
// page table walks.
#pragma once

#include <cstddef>
#include <memory>

namespace ess::cpu {

struct free_bytes {
  void operator()(std::byte* p) const;
};
using huge_bytes = std::unique_ptr<std::byte, free_bytes>;

// Not initialised; aligned to 64, and to 2 MiB where it is that large. Large pages are asked for, not
// insisted on. Throws std::bad_alloc.
[[nodiscard]] huge_bytes allocate_huge(std::size_t size);

}  // namespace ess::cpu
