#include <cstddef>
#include <cstdint>

#include "cmake/fuzzing/target.h"

// The name that libFuzzer looks for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)fuzzing::accepts({reinterpret_cast<const char*>(data), size});
  return 0;
}
