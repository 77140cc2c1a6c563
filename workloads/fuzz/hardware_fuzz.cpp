#include "cmake/fuzzing/target.h"
#include "workloads/hardware_profile.h"

namespace fuzzing {

bool accepts(std::string_view input) {
  const auto profile = workloads::parse_hardware(input, "fuzzed.json");
  if (!profile) {
    require(!to_string(profile.error()).empty(), "an error has words");
    return false;
  }
  require(profile->sha256.size() == 64, "a profile has a checksum");
  return true;
}

}  // namespace fuzzing
