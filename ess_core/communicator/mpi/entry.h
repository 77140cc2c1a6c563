// How the program finds the communicator in the library that has it (join.cpp).
#pragma once

#include "ess_core/communicator/communicator.h"

namespace ess {

inline constexpr const char* mpi_library_name = "libessbench_mpi.so";
inline constexpr const char* mpi_entry_name = "essbench_make_mpi_communicator";
// The caller owns what it returns. Throws cannot_join.
using make_mpi_communicator = communicator*(const join_options& options);

}  // namespace ess
