// A model of locality, before the fit (which is arithmetic on what this has checked).
#include "cmake/fuzzing/target.h"
#include "workloads/locality_reading.h"

namespace fuzzing {

bool accepts(std::string_view input) {
  const auto model = workloads::read_locality(input, "fuzzed.json");
  if (!model) {
    require(!to_string(model.error()).empty(), "an error has words");
    return false;
  }
  require(!model->position_relative.empty(), "a model has layers");
  return true;
}

}  // namespace fuzzing
