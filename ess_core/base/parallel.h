// Independent pieces of work over several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace ess {

// Calls work(0) .. work(count - 1), each once, in no order, on so many threads, the caller's one of them; 0:
// one a core. Rethrows the first exception, after which no further piece is begun.
void for_each_parallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work);

}  // namespace ess
