// Which rows of expert_input and expert_output go where, if experts are spread over ranks: what every device
// that computes works out on the host.
//
// An expert's rows are one after another on the rank of their tokens, and a rank's experts follow each other.
// So what one rank gets from another is one piece, sent from where it lies.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ess_core/communicator/communicator.h"
#include "ess_core/device/device.h"

namespace ess {

// What a device holds: of one rank of several, its share; of null, all.
[[nodiscard]] expert_range experts_here(const moe_dims& moe, const communicator* ranks);
// Why a device cannot run an operation on its stream: tokens go to their experts and back over the network
// where there are other ranks, and only there. Empty if it can.
[[nodiscard]] std::string network_fault(const operation& op, const communicator* ranks);

struct rank_pieces {
  std::vector<std::int64_t> offsets, bytes;  // [ranks]

  void add(std::int64_t offset, std::int64_t size);
  [[nodiscard]] exchange_pieces view() const { return {.offsets = offsets, .bytes = bytes}; }
  [[nodiscard]] std::int64_t bytes_to_others(int self) const;
};

// Of one slice.
struct expert_pieces {
  const memory_layout& layout;
  batch_slice slice;
  std::span<const std::int32_t> starts;          // [experts + 2], see buffer_id::expert_starts
  std::span<const std::int32_t> arrived_counts;  // [ranks][experts here], after tell_counts

  [[nodiscard]] std::span<const std::int32_t> arrived_from(int rank) const;
  // What arrives begins at this row: by rank that it comes from, then by expert.
  [[nodiscard]] std::int64_t first_arrived_row() const;
  [[nodiscard]] std::int32_t arrived_rows() const;
  // This rank's rows, by the rank that holds their experts; what is here for its experts, by rank of the
  // tokens.
  [[nodiscard]] rank_pieces own() const;
  [[nodiscard]] rank_pieces arrived() const;
  // Adds the rows of this rank's tokens, by expert.
  void count_own_rows(std::vector<std::int64_t>& by_expert) const;
};

// How many rows each expert gets from each rank, into `arrived_counts`. Collective.
void tell_counts(communicator& ranks, const expert_pieces& of, std::span<std::int32_t> arrived_counts);

}  // namespace ess
