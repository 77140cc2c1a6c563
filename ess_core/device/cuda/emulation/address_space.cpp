#include "ess_core/device/cuda/emulation/address_space.h"

#include <link.h>

#include "ess_core/device/cuda/emulation/memory.h"

namespace ess::emulation {
namespace {

struct range {
  std::uintptr_t begin = 0, end = 0;
  [[nodiscard]] bool holds(std::uintptr_t at) const { return at >= begin && at < end; }
};

range range_at(const void* p, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(p);
  return {begin, begin + bytes};
}

// Of the program itself, which holds all kernels.
struct program_image {
  std::uintptr_t base = 0;
  range constants[8], variables[8];
  range thread_locals;  // of the calling OS thread
};

int read_image(dl_phdr_info* info, std::size_t, void* out) {
  auto& image = *static_cast<program_image*>(out);
  image.base = info->dlpi_addr;
  int constants = 0, variables = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    const range in_memory{image.base + part.p_vaddr, image.base + part.p_vaddr + part.p_memsz};
    if (part.p_type == PT_LOAD && (part.p_flags & PF_W) != 0 && variables < 8)
      image.variables[variables++] = in_memory;
    if (part.p_type == PT_LOAD && (part.p_flags & PF_W) == 0 && constants < 8)
      image.constants[constants++] = in_memory;
    if (part.p_type == PT_TLS) image.thread_locals = range_at(info->dlpi_tls_data, part.p_memsz);
  }
  return 1;  // the program comes first
}

const program_image& image() {
  thread_local const program_image found = [] {
    program_image i;
    dl_iterate_phdr(read_image, &i);
    return i;
  }();
  return found;
}

template <std::size_t n>
bool any_holds(const range (&in)[n], std::uintptr_t at) {
  for (const range& r : in) {
    if (r.holds(at)) return true;
  }
  return false;
}

bool is_own(const block_thread& t, std::uintptr_t at) {
  const block& b = *t.home;
  if (range_at(t.context.stack, t.context.stack_bytes).holds(at)) return true;
  return range_at(b.threads.data(), b.threads.size() * sizeof(block_thread)).holds(at) ||
         range_at(&b, sizeof b).holds(at) || range_at(b.of, sizeof *b.of).holds(at) ||
         range_at(&current, sizeof current).holds(at);
}

bool in_allocation(std::uintptr_t at, std::size_t bytes) {
  const void* const p = reinterpret_cast<const void*>(at);
  return find_allocation(p) != nullptr && range_is_whole(p, bytes);
}

std::string plus(const char* what, std::uintptr_t offset) {
  return std::string(what) + " + " + std::to_string(offset);
}

}  // namespace

space space_of(const block_thread& t, std::uintptr_t at, std::size_t bytes) {
  const block& b = *t.home;
  if (is_own(t, at)) return space::own;
  const range shared{reinterpret_cast<std::uintptr_t>(shared_memory(b)),
                     reinterpret_cast<std::uintptr_t>(shared_memory(b)) + b.of->shared_bytes};
  if (shared.holds(at)) return at + bytes <= shared.end ? space::shared : space::beyond_shared;
  if (in_allocation(at, bytes)) return space::global;
  if (image().thread_locals.holds(at)) return space::static_shared;
  if (any_holds(image().variables, at)) return space::global;
  if (any_holds(image().constants, at)) return space::constant;
  if (range_at(b.shared_end - most_shared, most_shared + 4096).holds(at)) return space::beyond_shared;
  if (range_at(b.stacks, most_threads * b.stack_bytes).holds(at)) return space::other_stack;
  return space::unknown;
}

std::string describe(const block_thread& t, std::uintptr_t at, space where) {
  const auto shared = reinterpret_cast<std::uintptr_t>(shared_memory(*t.home));
  switch (where) {
    case space::shared:
    case space::beyond_shared:
      return plus("dynamic shared memory", at - shared) + " of " + std::to_string(t.home->of->shared_bytes);
    case space::static_shared:
      return "static shared memory";
    case space::other_stack:
      return "another thread's local memory";
    case space::unknown:
      return hex(at) + ", which is no device memory (plain host memory, freed, or out of bounds)";
    default:
      break;
  }
  const allocation* const a = find_allocation(reinterpret_cast<const void*>(at));
  if (a == nullptr) return "a variable of the program";
  return plus(a->kind == memory_kind::device ? "a device allocation" : "mapped host memory",
              at - reinterpret_cast<std::uintptr_t>(a->data)) +
         " of " + std::to_string(a->bytes);
}

}  // namespace ess::emulation
