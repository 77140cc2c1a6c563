// What the search of capacity is free to choose, and in which order it goes over it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/settings.h"

namespace harness {

enum class pool_sizes : std::uint8_t { even, by_layer };
[[nodiscard]] std::string_view to_string(pool_sizes sizes);

// A deployment, but for its batch.
struct candidate {
  workloads::system_kind system = workloads::system_kind::ess;
  int expert_ranks = 1;
  int mtp = 1;
  double accept = 1;        // mean tokens kept a step
  double sparse_ratio = 0;  // 0: the system has no pool whose size is chosen
  pool_sizes pools = pool_sizes::even;
  workloads::overlap_mode overlap = workloads::overlap_mode::none;
  bool two_batch_overlap = false;

  friend bool operator==(const candidate&, const candidate&) = default;
};

// The lists to choose from. None is empty.
struct search_space {
  std::vector<workloads::system_kind> systems;
  std::vector<int> expert_ranks;
  std::vector<int> mtp_depths;
  std::vector<double> ratios;
  std::vector<pool_sizes> pools;
  std::vector<workloads::overlap_mode> overlaps;
  std::vector<bool> two_batch_overlap;
  double draft_chance = 1;  // draft_chance_of
};

// Each deployment once: ratios, pools and overlaps multiply only for a system that has them. Those with the
// same selections follow each other, and among them those with the same pools.
[[nodiscard]] std::vector<candidate> candidates_of(const search_space& space);

// Each draft is right with the same chance p if the one before was, so that a step of depth n keeps
// 1 + p + ... + p^(n-1) tokens. The chance of what a depth has been seen to keep; nothing where no chance in
// [0, 1] gives it. Depth 1 has no drafts: only accept 1 goes with it, and then p is 1.
[[nodiscard]] std::optional<double> draft_chance_of(int mtp, double accept);
[[nodiscard]] double accept_of(int mtp, double draft_chance);

}  // namespace harness
