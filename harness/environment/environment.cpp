#include "harness/environment/environment.h"

#include <nlohmann/json.hpp>

#include "harness/environment/build_info.h"
#include "harness/environment/cpu_info.h"
#include "harness/environment/host_info.h"

namespace harness {

nlohmann::json capture_environment(const std::filesystem::path& root) {
  const system_files files(root);
  return {{"cpu", capture_cpu(files)},
          {"memory", capture_memory(files)},
          {"system", capture_system(files)},
          {"load", capture_load(files)},
          {"build", capture_build()}};
}

}  // namespace harness
