// Ranges for profilers (NVTX, domain "essbench"). Without NVTX headers all of it compiles to nothing; with
// them but without a tool attached a range costs a few nanoseconds (bench/nvtx_bench.cpp).
#pragma once

#include <cstdint>
#include <string_view>

namespace ess::nvtx {

inline constexpr const char* domain_name = "essbench";

// What a range is about. A tool whose NVTX lacks the payload extension sees `bytes` alone.
struct payload {
  std::int32_t layer = -1;  // -1: not of one layer
  std::int64_t rows = 0;    // latent rows read, written or moved
  std::int64_t bytes = 0;   // bytes that cross the link
};

#ifdef ESSBENCH_NVTX

// Whether the build has NVTX at all.
inline constexpr bool built_in = true;
// Whether a tool listens. Constant from the first call on.
[[nodiscard]] bool attached();

// Open from construction to destruction, both on the same thread; ranges of a thread nest.
class scoped_range {
 public:
  explicit scoped_range(std::string_view name, const payload& load = {}) : open_(attached()) {
    if (open_) push(name, load);
  }
  scoped_range(const scoped_range&) = delete;
  scoped_range& operator=(const scoped_range&) = delete;
  ~scoped_range() {
    if (open_) pop();
  }

 private:
  static void push(std::string_view name, const payload& load);
  static void pop();

  bool open_;
};

#else

inline constexpr bool built_in = false;
[[nodiscard]] constexpr bool attached() { return false; }

class [[maybe_unused]] scoped_range {
 public:
  explicit constexpr scoped_range(std::string_view, const payload& = {}) {}
  scoped_range(const scoped_range&) = delete;
  scoped_range& operator=(const scoped_range&) = delete;
};

#endif

}  // namespace ess::nvtx
