// The exchange over NCCL: a library of its own beside the program, loaded where several ranks have GPUs; and
// part of the stand-in's device, whose NCCL is in emulation/.
#include <fmt/format.h>

#include <cstring>

#include "ess_core/device/cuda/exchange.h"
#ifdef ESSBENCH_CUDA_EMULATED
#include "ess_core/device/cuda/emulation/nccl.h"
#else
#include <nccl.h>
#endif

namespace ess::ESS_CUDA {
namespace {

void check(const char* call, ncclResult_t result) {
  if (result == ncclSuccess) return;
  throw rank_failure(fmt::format("{}: {} ({})", call, ncclGetErrorString(result), ncclGetLastError(nullptr)));
}

class nccl_exchange final : public rank_exchange {
 public:
  explicit nccl_exchange(communicator& ranks) : ranks_(ranks.ranks()) {
#ifdef ESSBENCH_CUDA_EMULATED
    emulation::nccl_goes_to(&ranks);
#endif
    ncclUniqueId id{};
    if (ranks.rank() == 0) check("ncclGetUniqueId", ncclGetUniqueId(&id));
    const std::string of_first = ranks.gather(std::string(id.internal, sizeof id.internal)).front();
    if (of_first.size() != sizeof id.internal) throw rank_failure("the first rank sent no NCCL id");
    std::memcpy(id.internal, of_first.data(), sizeof id.internal);
    check("ncclCommInitRank", ncclCommInitRank(&comm_, ranks.ranks(), id, ranks.rank()));
  }
  ~nccl_exchange() override { ncclCommDestroy(comm_); }

  void all_to_all(const std::byte* send, const exchange_pieces& sent, std::byte* receive,
                  const exchange_pieces& received, cudaStream_t on) override {
    check("ncclGroupStart", ncclGroupStart());
    for (int other = 0; other < ranks_; ++other) {
      const auto i = static_cast<std::size_t>(other);
      if (sent.bytes[i] > 0) {
        check("ncclSend",
              ncclSend(send + sent.offsets[i], words(sent.bytes[i]), ncclFloat, other, comm_, on));
      }
      if (received.bytes[i] > 0) {
        check("ncclRecv",
              ncclRecv(receive + received.offsets[i], words(received.bytes[i]), ncclFloat, other, comm_, on));
      }
    }
    check("ncclGroupEnd", ncclGroupEnd());
  }

 private:
  static std::size_t words(std::int64_t bytes) { return static_cast<std::size_t>(bytes) / sizeof(float); }

  int ranks_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

#ifdef ESSBENCH_CUDA_EMULATED
std::unique_ptr<rank_exchange> make_exchange(communicator& ranks) {
  return std::make_unique<nccl_exchange>(ranks);
}
#endif

}  // namespace ess::ESS_CUDA

#ifndef ESSBENCH_CUDA_EMULATED
extern "C" ess::cuda::rank_exchange* essbench_make_nccl_exchange(ess::communicator& ranks) {
  return new ess::cuda::nccl_exchange(ranks);
}
#endif
