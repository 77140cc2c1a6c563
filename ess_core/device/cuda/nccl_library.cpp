#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "ess_core/device/cuda/exchange.h"
#include "ess_core/device/device.h"

namespace ess::cuda {

std::unique_ptr<rank_exchange> make_exchange(communicator& ranks) {
  const auto library = std::filesystem::read_symlink("/proc/self/exe").parent_path() / nccl_library_name;
  void* loaded = dlopen(library.c_str(), RTLD_NOW);
  if (loaded == nullptr) throw unsupported(fmt::format("experts over several GPUs need NCCL: {}", dlerror()));
  const auto make = reinterpret_cast<make_nccl_exchange*>(dlsym(loaded, nccl_entry_name));
  if (make == nullptr) throw unsupported(fmt::format("{} is not of this build", library.string()));
  return std::unique_ptr<rank_exchange>(make(ranks));
}

}  // namespace ess::cuda
