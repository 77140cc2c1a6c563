#include "ess_core/device/cuda/emulation/nccl.h"

#include <string>

namespace ess::emulation {

struct nccl_communicator {
  communicator* ranks;
};

namespace {

struct transfer {
  void* address;
  std::size_t bytes;
  int peer;
};

// What a thread has said since ncclGroupStart.
struct group {
  bool open = false;
  communicator* target = nullptr;  // nccl_goes_to
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  std::vector<transfer> sends, receives;
  std::string error;
};

group& here() {
  static thread_local group g;
  return g;
}

struct pieces {
  std::vector<std::int64_t> offsets, bytes;
  std::vector<std::byte> staged;

  pieces(const std::vector<transfer>& all, int ranks)
      : offsets(static_cast<std::size_t>(ranks)), bytes(static_cast<std::size_t>(ranks)) {
    std::size_t size = 0;
    for (const transfer& t : all) {
      offsets[static_cast<std::size_t>(t.peer)] = static_cast<std::int64_t>(size);
      bytes[static_cast<std::size_t>(t.peer)] = static_cast<std::int64_t>(t.bytes);
      size += t.bytes;
    }
    staged.resize(size);
  }
  [[nodiscard]] exchange_pieces view() const { return {.offsets = offsets, .bytes = bytes}; }
  [[nodiscard]] std::byte* of(const transfer& t) {
    return staged.data() + offsets[static_cast<std::size_t>(t.peer)];
  }
};

ncclResult_t add(std::vector<transfer>& to, const void* address, std::size_t count, ncclDataType_t type,
                 int peer, ncclComm_t comm, cudaStream_t stream) {
  group& g = here();
  if (!g.open || comm == nullptr) return ncclInvalidUsage;
  if (type != ncclFloat || address == nullptr || peer < 0 || peer >= comm->ranks->ranks())
    return ncclInvalidArgument;
  if (g.comm != nullptr && (g.comm != comm || g.stream != stream)) return ncclInvalidUsage;
  g.comm = comm;
  g.stream = stream;
  to.push_back({const_cast<void*>(address), count * sizeof(float), peer});
  return ncclSuccess;
}

ncclResult_t run(group& g) {
  if (cudaStreamSynchronize(g.stream) != cudaSuccess) return ncclInvalidUsage;
  const int ranks = g.comm->ranks->ranks();
  pieces sent(g.sends, ranks), received(g.receives, ranks);
  for (const transfer& t : g.sends) {
    if (cudaMemcpy(sent.of(t), t.address, t.bytes, cudaMemcpyDeviceToHost) != cudaSuccess)
      return ncclInvalidArgument;
  }
  g.comm->ranks->all_to_all(sent.staged.data(), sent.view(), received.staged.data(), received.view());
  for (const transfer& t : g.receives) {
    if (cudaMemcpy(t.address, received.of(t), t.bytes, cudaMemcpyHostToDevice) != cudaSuccess)
      return ncclInvalidArgument;
  }
  return ncclSuccess;
}

}  // namespace

void nccl_goes_to(communicator* ranks) { here().target = ranks; }

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId /*id*/, int rank) {
  communicator* const target = here().target;
  if (target == nullptr || target->ranks() != ranks || target->rank() != rank) return ncclInvalidArgument;
  *comm = new nccl_communicator{target};
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  group& g = here();
  if (g.open) return ncclInvalidUsage;
  g = {.open = true, .target = g.target};
  return ncclSuccess;
}

// Of a communicator that is used here every rank has something to send, to itself at least.
ncclResult_t ncclGroupEnd() {
  group& g = here();
  if (!g.open) return ncclInvalidUsage;
  g.open = false;
  if (g.comm == nullptr) return ncclSuccess;
  try {
    return run(g);
  } catch (const std::exception& e) {
    g.error = e.what();
    return ncclRemoteError;
  }
}

ncclResult_t ncclSend(const void* from, std::size_t count, ncclDataType_t type, int to, ncclComm_t comm,
                      cudaStream_t stream) {
  return add(here().sends, from, count, type, to, comm, stream);
}

ncclResult_t ncclRecv(void* into, std::size_t count, ncclDataType_t type, int from, ncclComm_t comm,
                      cudaStream_t stream) {
  return add(here().receives, into, count, type, from, comm, stream);
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
  }
  return "unknown result code";
}

const char* ncclGetLastError(ncclComm_t /*comm*/) { return here().error.c_str(); }

}  // namespace ess::emulation
