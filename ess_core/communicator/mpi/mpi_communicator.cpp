// Ranks over MPI. Every exchange is a set of non-blocking sends and receives, polled: so a rank knows whom it
// waits for, and can stop waiting.
#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "ess_core/communicator/mpi/entry.h"

namespace ess {
namespace {

using clock = std::chrono::steady_clock;

// What others send is often microseconds away. After that the core is wanted by the threads that compute.
constexpr std::chrono::microseconds poll_for{20};
constexpr std::chrono::microseconds sleep_for{20};
constexpr std::chrono::milliseconds look_around_every{50};
constexpr std::chrono::milliseconds send_notices_for{500};
constexpr int exchange_tag = 1;
constexpr int notice_tag = 2;

void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text = {};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw rank_failure(fmt::format("{}: {}", call, text.data()));
}

// Where a process id means something: a host, and a namespace of processes on it.
std::string process_space() {
  std::array<char, 256> host = {};
  gethostname(host.data(), host.size() - 1);
  std::error_code none;
  return fmt::format("{} {}", host.data(), std::filesystem::read_symlink("/proc/self/ns/pid", none).string());
}

struct peer {
  std::string space;
  long process = 0;
};

enum class process_state : std::uint8_t { unknown, running, stopped, ended };

process_state state_of(const peer& p, const std::string& here) {
  if (p.space != here) return process_state::unknown;
  std::ifstream file(fmt::format("/proc/{}/stat", p.process));
  std::string text;
  if (!std::getline(file, text)) return process_state::ended;
  const std::size_t name_end = text.rfind(')');
  const char state = name_end + 2 < text.size() ? text[name_end + 2] : '?';
  if (state == 'Z' || state == 'X') return process_state::ended;
  return state == 'T' || state == 't' ? process_state::stopped : process_state::running;
}

// Around calls of MPI that wait for all ranks and cannot be left: if they take longer, this process ends, and
// the launcher ends the others.
class deadline {
 public:
  deadline(std::chrono::milliseconds patience, const char* what)
      : thread_([this, patience, what] {
          std::unique_lock lock(mutex_);
          if (changed_.wait_for(lock, patience, [this] { return over_; })) return;
          fmt::print(stderr, "essbench: {} took longer than {:.1f} s: a rank is missing\n", what,
                     std::chrono::duration<double>(patience).count());
          std::_Exit(exit_code_of_lost_ranks);
        }) {}
  ~deadline() {
    {
      const std::scoped_lock lock(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  static constexpr int exit_code_of_lost_ranks = 130;  // resumable

  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

class mpi_communicator final : public communicator {
 public:
  explicit mpi_communicator(const join_options& options) : options_(options), space_(process_space()) {
    const deadline join(options.patience, "joining the ranks");
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
    if (provided < MPI_THREAD_SERIALIZED)
      throw cannot_join("this MPI cannot be called by a thread other than the first");
    check(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "MPI_Comm_dup");
    MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN);
    check(MPI_Comm_rank(world_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(world_, &ranks_), "MPI_Comm_size");
    MPI_Comm local = MPI_COMM_NULL;
    check(MPI_Comm_split_type(world_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local),
          "MPI_Comm_split_type");
    MPI_Comm_rank(local, &local_rank_);
    MPI_Comm_size(local, &local_ranks_);
    MPI_Comm_free(&local);
    for (const std::string& text : gather(fmt::format("{} {}", getpid(), space_))) {
      const std::size_t space = text.find(' ');
      peers_.push_back({.space = text.substr(space + 1), .process = std::atol(text.c_str())});
    }
  }

  ~mpi_communicator() override {
    if (lost_) return;  // others may never come to finalise
    const deadline leave(options_.patience, "leaving the ranks");
    MPI_Comm_free(&world_);
    MPI_Finalize();
  }

  [[nodiscard]] std::string_view name() const override { return "mpi"; }
  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int ranks() const override { return ranks_; }
  [[nodiscard]] int local_ranks() const override { return local_ranks_; }
  [[nodiscard]] int local_rank() const override { return local_rank_; }

  void barrier() override {
    const std::byte nothing{};
    std::vector<std::byte> from_all(static_cast<std::size_t>(ranks_));
    const pieces one(same_for_all(0, 1)),
        each(one_after_another(std::vector<std::int64_t>(from_all.size(), 1)));
    all_to_all(&nothing, one.view(), from_all.data(), each.view());
  }

  void all_to_all(const std::byte* send, const exchange_pieces& sent, std::byte* receive,
                  const exchange_pieces& received) override {
    std::vector<MPI_Request> requests;  // receives first
    std::vector<int> waiting_for;
    for (const int other : others()) {
      const auto i = static_cast<std::size_t>(other);
      if (received.bytes[i] == 0) continue;
      check(MPI_Irecv(receive + received.offsets[i], count_of(received.bytes[i]), MPI_BYTE, other,
                      exchange_tag, world_, &requests.emplace_back()),
            "MPI_Irecv");
      waiting_for.push_back(other);
    }
    for (const int other : others()) {
      const auto i = static_cast<std::size_t>(other);
      if (sent.bytes[i] == 0) continue;
      check(MPI_Isend(send + sent.offsets[i], count_of(sent.bytes[i]), MPI_BYTE, other, exchange_tag, world_,
                      &requests.emplace_back()),
            "MPI_Isend");
      waiting_for.push_back(other);
    }
    const auto own = static_cast<std::size_t>(rank_);
    std::copy_n(send + sent.offsets[own], sent.bytes[own], receive + received.offsets[own]);
    wait(requests, waiting_for);
  }

  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override {
    const auto all = static_cast<std::size_t>(ranks_);
    const auto own = static_cast<std::int64_t>(text.size());
    std::vector<std::int64_t> sizes(all);
    constexpr std::int64_t word = sizeof(std::int64_t);
    const pieces one(same_for_all(0, word)), each(one_after_another(std::vector<std::int64_t>(all, word)));
    all_to_all(reinterpret_cast<const std::byte*>(&own), one.view(),
               reinterpret_cast<std::byte*>(sizes.data()), each.view());
    const pieces whole(same_for_all(0, own)), texts(one_after_another(sizes));
    std::string joined(static_cast<std::size_t>(texts.offsets.back() + sizes.back()), '\0');
    all_to_all(reinterpret_cast<const std::byte*>(text.data()), whole.view(),
               reinterpret_cast<std::byte*>(joined.data()), texts.view());
    std::vector<std::string> out;
    for (std::size_t i = 0; i < all; ++i) {
      out.push_back(
          joined.substr(static_cast<std::size_t>(texts.offsets[i]), static_cast<std::size_t>(sizes[i])));
    }
    return out;
  }

  void give_up(const std::string& why) noexcept override {
    lost_ = true;
    std::vector<MPI_Request> requests;
    for (const int other : others()) {
      MPI_Isend(why.data(), static_cast<int>(why.size()), MPI_BYTE, other, notice_tag, world_,
                &requests.emplace_back());
    }
    const auto until = clock::now() + send_notices_for;
    for (int done = 0; done == 0 && clock::now() < until; std::this_thread::sleep_for(sleep_for)) {
      if (MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE) !=
          MPI_SUCCESS)
        return;
    }
  }

  void abort(int exit_code) noexcept override {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::_Exit(exit_code);
  }

 private:
  struct pieces {
    std::vector<std::int64_t> offsets, bytes;
    [[nodiscard]] exchange_pieces view() const { return {.offsets = offsets, .bytes = bytes}; }
  };

  [[nodiscard]] pieces same_for_all(std::int64_t offset, std::int64_t bytes) const {
    const auto all = static_cast<std::size_t>(ranks_);
    return {.offsets = std::vector(all, offset), .bytes = std::vector(all, bytes)};
  }

  static pieces one_after_another(std::vector<std::int64_t> bytes) {
    pieces out{.offsets = {}, .bytes = std::move(bytes)};
    std::int64_t at = 0;
    for (const std::int64_t size : out.bytes) out.offsets.push_back(std::exchange(at, at + size));
    return out;
  }

  // From the next one on, so that not all begin with the same.
  [[nodiscard]] std::vector<int> others() const {
    std::vector<int> out;
    for (int i = 1; i < ranks_; ++i) out.push_back((rank_ + i) % ranks_);
    return out;
  }

  static int count_of(std::int64_t bytes) {
    if (bytes > std::numeric_limits<int>::max())
      throw rank_failure(fmt::format("{} bytes to one rank at a time; MPI counts to 2 GB", bytes));
    return static_cast<int>(bytes);
  }

  void wait(std::vector<MPI_Request>& requests, const std::vector<int>& waiting_for) {
    const auto begin = clock::now();
    auto next_look = begin + look_around_every;
    for (;;) {
      int done = 0;
      check(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE),
            "MPI_Testall");
      if (done != 0) return;
      const auto now = clock::now();
      if (now - begin < poll_for) continue;
      std::this_thread::sleep_for(sleep_for);
      if (now < next_look) continue;
      next_look = now + look_around_every;
      look_around(requests, waiting_for, now - begin);
    }
  }

  // Throws if there is nothing to wait for any more.
  void look_around(const std::vector<MPI_Request>& requests, const std::vector<int>& waiting_for,
                   clock::duration waited) {
    if (const auto notice = receive_notice()) lose(*notice, rank_failure::cause::gave_up);
    std::vector<int> missing;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      int done = 0;
      if (requests[i] != MPI_REQUEST_NULL) MPI_Request_get_status(requests[i], &done, MPI_STATUS_IGNORE);
      if (requests[i] != MPI_REQUEST_NULL && done == 0) missing.push_back(waiting_for[i]);
    }
    std::ranges::sort(missing);
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    for (const int other : missing) {
      if (!peers_.empty() &&
          state_of(peers_[static_cast<std::size_t>(other)], space_) == process_state::ended)
        lose(describe(other) + " has ended");
    }
    const auto seconds = std::chrono::duration<double>(waited).count();
    if (options_.interrupted && options_.interrupted())
      lose(fmt::format("interrupted while it waited for {}", list(missing)));
    if (waited >= options_.patience)
      lose(fmt::format("no answer in {:.1f} s from {}", seconds, list(missing)));
  }

  [[noreturn]] void lose(const std::string& why, rank_failure::cause cause = rank_failure::cause::lost) {
    lost_ = true;
    throw rank_failure(fmt::format("rank {}: {}", rank_, why), cause);
  }

  [[nodiscard]] std::string describe(int other) const {
    if (peers_.empty()) return fmt::format("rank {}", other);
    const peer& p = peers_[static_cast<std::size_t>(other)];
    return fmt::format("rank {} (process {} on {}{})", other, p.process, p.space.substr(0, p.space.find(' ')),
                       state_of(p, space_) == process_state::stopped ? ", stopped" : "");
  }

  [[nodiscard]] std::string list(const std::vector<int>& ranks) const {
    std::vector<std::string> texts;
    for (const int other : ranks) texts.push_back(describe(other));
    return fmt::format("{}", fmt::join(texts, ", "));
  }

  [[nodiscard]] std::optional<std::string> receive_notice() const {
    int there = 0;
    MPI_Status status = {};
    check(MPI_Iprobe(MPI_ANY_SOURCE, notice_tag, world_, &there, &status), "MPI_Iprobe");
    if (there == 0) return std::nullopt;
    int length = 0;
    MPI_Get_count(&status, MPI_BYTE, &length);
    std::string text(static_cast<std::size_t>(length), '\0');
    check(MPI_Recv(text.data(), length, MPI_BYTE, status.MPI_SOURCE, notice_tag, world_, MPI_STATUS_IGNORE),
          "MPI_Recv");
    return fmt::format("rank {} gave up: {}", status.MPI_SOURCE, text);
  }

  join_options options_;
  std::string space_;
  std::vector<peer> peers_;  // by rank
  MPI_Comm world_ = MPI_COMM_NULL;
  int rank_ = 0, ranks_ = 1;
  int local_rank_ = 0, local_ranks_ = 1;
  bool lost_ = false;
};

}  // namespace
}  // namespace ess

extern "C" ess::communicator* essbench_make_mpi_communicator(const ess::join_options& options) {
  return new ess::mpi_communicator(options);
}
