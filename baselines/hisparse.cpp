#include "baselines/hisparse.h"

namespace ess {

std::int64_t hisparse_system::pool_slots(const model_dims& model, token_id) const {
  return pool_rows_ > 0 ? pool_rows_ : 2 * std::int64_t{model.top_k};
}

}  // namespace ess
