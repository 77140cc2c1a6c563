// How many of its query tokens a step keeps (MTP), by seed: each draft is accepted with the same chance, up
// to the first that is rejected. A pure function of (seed, request, step of the request): all systems of a
// run keep the same tokens.
#pragma once

#include <cstdint>

#include "ess_core/base/random.h"
#include "ess_core/base/units.h"

namespace ess {

class draft_acceptance {
 public:
  // `mean_kept`: tokens a step keeps in the mean, in [1, query_tokens]; the paper's accept ratio. Throws
  // std::invalid_argument outside.
  draft_acceptance(std::int32_t query_tokens, double mean_kept, std::uint64_t seed);

  // In [1, query_tokens].
  [[nodiscard]] std::int32_t kept(request_id request, std::int32_t step) const;
  // Of one draft to be accepted, if those before it were.
  [[nodiscard]] double chance() const { return chance_; }

 private:
  std::int32_t query_tokens_;
  double chance_;
  std::uint64_t seed_;
};

}  // namespace ess
