// Rows of experts between the GPUs of several ranks.
#pragma once

#include <memory>

#include "ess_core/communicator/communicator.h"
#include "ess_core/device/cuda/platform.h"

namespace ess::ESS_CUDA {

class rank_exchange {
 public:
  rank_exchange() = default;
  rank_exchange(const rank_exchange&) = delete;
  rank_exchange& operator=(const rank_exchange&) = delete;
  virtual ~rank_exchange() = default;

  // As communicator::all_to_all, between device memories, in the order of the stream; offsets and sizes are
  // multiples of four bytes. Throws rank_failure.
  virtual void all_to_all(const std::byte* send, const exchange_pieces& sent, std::byte* receive,
                          const exchange_pieces& received, cudaStream_t on) = 0;
};

// Over NCCL, between the current devices of all ranks. Collective; `ranks` must outlive it. Throws
// unsupported where this build has no NCCL.
[[nodiscard]] std::unique_ptr<rank_exchange> make_exchange(communicator& ranks);

// How the program finds it in the library that has it (nccl_library.cpp). The caller owns what it returns.
inline constexpr const char* nccl_library_name = "libessbench_nccl.so";
inline constexpr const char* nccl_entry_name = "essbench_make_nccl_exchange";
using make_nccl_exchange = rank_exchange*(communicator& ranks);

}  // namespace ess::ESS_CUDA
