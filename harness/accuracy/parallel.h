// Independent pieces of reference work over all cores.
#pragma once

#include <cstddef>
#include <functional>

namespace harness {

// Calls work(0) .. work(count - 1), each once, in no order. Rethrows the first exception.
void for_each_parallel(std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace harness
