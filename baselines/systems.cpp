#include "baselines/systems.h"

#include <array>

#include "baselines/all_gpu.h"
#include "baselines/hisparse.h"
#include "baselines/layer_stream.h"
#include "baselines/naive.h"

namespace ess {

std::span<const std::string_view> system_names() {
  static constexpr std::array<std::string_view, 6> names = {"all_gpu",      "naive_memcpy", "naive_gather",
                                                            "layer_stream", "ess",          "hisparse"};
  return names;
}

std::unique_ptr<cache_system> make_system(std::string_view name, const ess_options& options) {
  if (name == "all_gpu") return std::make_unique<all_gpu_system>();
  if (name == "naive_memcpy") return std::make_unique<naive_memcpy_system>();
  if (name == "naive_gather") return std::make_unique<naive_gather_system>();
  if (name == "layer_stream") return std::make_unique<layer_stream_system>();
  if (name == "ess") return std::make_unique<ess_system>(options);
  if (name == "hisparse") return std::make_unique<hisparse_system>(options.pool_rows);
  return nullptr;
}

}  // namespace ess
