#include "harness/capacity/candidate.h"

namespace harness {
namespace {

using workloads::overlap_mode;
using workloads::system_kind;

// The order of everything that costs no new pool.
void add_orders(const search_space& space, const candidate& of, std::vector<candidate>& out) {
  const bool overlaps = of.system == system_kind::ess;
  for (const int ranks : space.expert_ranks) {
    for (const overlap_mode overlap : overlaps ? space.overlaps : std::vector{overlap_mode::none}) {
      for (const bool two_batches : space.two_batch_overlap) {
        candidate& one = out.emplace_back(of);
        one.expert_ranks = ranks;
        one.overlap = overlap;
        one.two_batch_overlap = two_batches;
      }
    }
  }
}

}  // namespace

std::string_view to_string(pool_sizes sizes) { return sizes == pool_sizes::even ? "even" : "by_layer"; }

std::vector<candidate> candidates_of(const search_space& space) {
  std::vector<candidate> out;
  for (const system_kind system : space.systems) {
    const bool sized = system == system_kind::ess;
    for (const int mtp : space.mtp_depths) {
      for (const double ratio : sized ? space.ratios : std::vector{0.0}) {
        for (const pool_sizes pools : sized ? space.pools : std::vector{pool_sizes::even}) {
          add_orders(space,
                     {.system = system,
                      .mtp = mtp,
                      .accept = accept_of(mtp, space.draft_chance),
                      .sparse_ratio = ratio,
                      .pools = pools},
                     out);
        }
      }
    }
  }
  return out;
}

double accept_of(int mtp, double draft_chance) {
  double accept = 0, chance = 1;
  for (int token = 0; token < mtp; ++token) {
    accept += chance;
    chance *= draft_chance;
  }
  return accept;
}

std::optional<double> draft_chance_of(int mtp, double accept) {
  if (accept < 1 || accept > mtp) return std::nullopt;
  double low = 0, high = 1;
  if (accept_of(mtp, high) <= accept) return high;
  for (int halvings = 0; halvings < 60; ++halvings) {
    const double middle = (low + high) / 2;
    (accept_of(mtp, middle) > accept ? high : low) = middle;
  }
  return low;
}

}  // namespace harness
