// The part of NCCL's interface that the CUDA device uses (NCCL 2 API reference), answered by a communicator
// between processes, or threads, of the host. A group is done when ncclGroupEnd returns.
#pragma once

#include "ess_core/communicator/communicator.h"
#include "ess_core/device/cuda/emulation/cuda_runtime.h"

namespace ess::emulation {

enum ncclResult_t : int {
  ncclSuccess = 0,
  ncclInvalidArgument = 4,
  ncclInvalidUsage = 5,
  ncclRemoteError = 6
};
enum ncclDataType_t : int { ncclFloat = 7 };
struct ncclUniqueId {
  char internal[128];
};
using ncclComm_t = struct nccl_communicator*;

ncclResult_t ncclGetUniqueId(ncclUniqueId* id);
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank);
ncclResult_t ncclCommDestroy(ncclComm_t comm);
ncclResult_t ncclGroupStart();
ncclResult_t ncclGroupEnd();
ncclResult_t ncclSend(const void* from, std::size_t count, ncclDataType_t type, int to, ncclComm_t comm,
                      cudaStream_t stream);
ncclResult_t ncclRecv(void* into, std::size_t count, ncclDataType_t type, int from, ncclComm_t comm,
                      cudaStream_t stream);
const char* ncclGetErrorString(ncclResult_t result);
const char* ncclGetLastError(ncclComm_t comm);

// Beyond NCCL's interface: what communicators that this thread makes from now on go to.
void nccl_goes_to(communicator* ranks);

}  // namespace ess::emulation
