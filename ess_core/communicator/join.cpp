// The MPI communicator is a library of its own beside the program, loaded only where a launcher has started
// several ranks. So a program of one rank needs no MPI, to be built or to run.
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "ess_core/communicator/communicator.h"
#include "ess_core/communicator/mpi/entry.h"

namespace ess {

int launched_ranks() {
  // Open MPI; PMI-2 and PMI-1, by which MPICH's and Slurm's launchers speak. A batch script under Slurm has
  // SLURM_NTASKS, and yet is one process: it does not count.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const char* size = std::getenv(name)) return std::max(1, std::atoi(size));
  }
  // srun --mpi=pmix sets this for its tasks alone.
  if (std::getenv("PMIX_RANK") != nullptr) {
    if (const char* size = std::getenv("SLURM_NTASKS")) return std::max(1, std::atoi(size));
  }
  return 1;
}

std::unique_ptr<communicator> join_ranks(const join_options& options) {
  const int ranks = launched_ranks();
  if (ranks == 1) return make_lone_communicator();
  const auto library = std::filesystem::read_symlink("/proc/self/exe").parent_path() / mpi_library_name;
  if (!std::filesystem::exists(library)) {
    throw cannot_join(
        fmt::format("started as one of {} ranks, but this build has no MPI: there is no {}; "
                    "build where MPI is installed (Debian package libopenmpi-dev)",
                    ranks, library.string()));
  }
  // Open MPI's own plugins look for its symbols among the global ones.
  void* loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (loaded == nullptr) throw cannot_join(fmt::format("cannot load MPI: {}", dlerror()));
  const auto make = reinterpret_cast<make_mpi_communicator*>(dlsym(loaded, mpi_entry_name));
  if (make == nullptr) throw cannot_join(fmt::format("{} is not of this build", library.string()));
  return std::unique_ptr<communicator>(make(options));
}

}  // namespace ess
