// What the ranks of a cluster say to each other: all-to-alls with unequal counts for the rows of experts, and
// the few words by which ranks agree. A collective is called by all ranks in the same order, from one thread
// at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ess {

// Nothing more can be exchanged. The text says why, and which rank it is about.
class rank_failure : public std::runtime_error {
 public:
  enum class cause : std::uint8_t {
    lost,     // a rank ended or did not answer in time, or the wait was interrupted
    gave_up,  // a rank said that it goes no further
  };
  explicit rank_failure(const std::string& what, cause of = cause::lost) : runtime_error(what), why(of) {}
  cause why;
};

// A contiguous piece of a buffer for, or from, each rank, in bytes.
struct exchange_pieces {
  std::span<const std::int64_t> offsets;  // [ranks]
  std::span<const std::int64_t> bytes;    // [ranks]
};

class communicator {
 public:
  communicator() = default;
  communicator(const communicator&) = delete;
  communicator& operator=(const communicator&) = delete;
  virtual ~communicator() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;  // "none", "mpi"
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int ranks() const = 0;
  // Of the ranks on this machine: how many there are, and which of them this one is.
  [[nodiscard]] virtual int local_ranks() const = 0;
  [[nodiscard]] virtual int local_rank() const = 0;

  // Collectives; each throws rank_failure.
  virtual void barrier() = 0;
  // What others get from this rank, and where what it gets from them goes; what both sides say of a pair must
  // be equal.
  virtual void all_to_all(const std::byte* send, const exchange_pieces& sent, std::byte* receive,
                          const exchange_pieces& received) = 0;
  // The texts of all ranks, by rank.
  [[nodiscard]] virtual std::vector<std::string> gather(const std::string& text) = 0;

  // Tells the others that this rank goes no further, and why; their collectives then throw. Not a collective,
  // and not to be called during one. Nothing may be exchanged afterwards.
  virtual void give_up(const std::string& why) noexcept = 0;
  // Ends all ranks at once, this process too. For when they can no longer agree.
  virtual void abort(int exit_code) noexcept = 0;
};

// Of all ranks, elementwise. `values` are as many on every rank.
[[nodiscard]] std::vector<double> largest(communicator& ranks, std::span<const double> values);
// Whether any rank says so.
[[nodiscard]] bool any(communicator& ranks, bool here);

// One rank, alone.
[[nodiscard]] std::unique_ptr<communicator> make_lone_communicator();

struct join_options {
  // How long a rank waits for the others before it takes them for lost.
  std::chrono::milliseconds patience{60'000};
  // Asked while it waits; true ends the wait with rank_failure.
  std::function<bool()> interrupted = {};
};

// Thrown where ranks were started that cannot be joined.
class cannot_join : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Ranks that a launcher (mpirun, srun) started together say so in their environment: how many, by the
// environment; 1 without a launcher.
[[nodiscard]] int launched_ranks();
// Joins them; without a launcher, or as its only rank, no MPI library is loaded. Throws cannot_join.
[[nodiscard]] std::unique_ptr<communicator> join_ranks(const join_options& options);

}  // namespace ess
