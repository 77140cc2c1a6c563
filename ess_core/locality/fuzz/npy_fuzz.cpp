#include "cmake/fuzzing/memory_file.h"
#include "ess_core/locality/npy.h"

namespace fuzzing {

bool accepts(std::string_view input) {
  const memory_file file(input);
  const auto trace = ess::read_npy(file.path(), std::nullopt);
  if (!trace) {
    require(!trace.error().what.empty(), "an error has words");
    return false;
  }
  require(ess::check_shape(trace->shape).has_value(), "the shape is in range");
  require(trace->ids.size() == trace->shape.ids(), "all ids are there");
  require(ess::check_ids(*trace).has_value(), "ids are in range and in order");
  return true;
}

}  // namespace fuzzing
