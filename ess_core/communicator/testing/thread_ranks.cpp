#include "ess_core/communicator/testing/thread_ranks.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace ess::test {
namespace {

// What one rank shows the others during a collective.
struct shown {
  const std::byte* send = nullptr;
  exchange_pieces sent = {};
  const std::string* text = nullptr;
};

struct meeting {
  explicit meeting(int n) : ranks(n), all(static_cast<std::size_t>(n)) {}

  int ranks;
  std::vector<shown> all;
  std::mutex mutex;
  std::condition_variable changed;
  int arrived = 0;
  std::uint64_t round = 0;
  std::string given_up;
  std::chrono::milliseconds patience{};

  // Returns when all ranks are here.
  void meet() {
    std::unique_lock lock(mutex);
    if (++arrived == ranks) {
      arrived = 0;
      ++round;
      changed.notify_all();
      return;
    }
    const auto over = [&, mine = round] { return round != mine || !given_up.empty(); };
    const bool in_time = changed.wait_for(lock, patience, over);
    if (!given_up.empty()) throw rank_failure(given_up, rank_failure::cause::gave_up);
    if (!in_time) throw rank_failure("no answer in time");
  }
};

class thread_communicator final : public communicator {
 public:
  thread_communicator(meeting& with, int rank) : with_(with), rank_(rank) {}

  [[nodiscard]] std::string_view name() const override { return "threads"; }
  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int ranks() const override { return with_.ranks; }
  [[nodiscard]] int local_ranks() const override { return with_.ranks; }
  [[nodiscard]] int local_rank() const override { return rank_; }
  void barrier() override { with_.meet(); }

  void all_to_all(const std::byte* send, const exchange_pieces& sent, std::byte* receive,
                  const exchange_pieces& received) override {
    own() = {.send = send, .sent = sent};
    with_.meet();
    const auto me = static_cast<std::size_t>(rank_);
    for (std::size_t other = 0; other < with_.all.size(); ++other) {
      const shown& from = with_.all[other];
      if (from.sent.bytes[me] != received.bytes[other])
        throw rank_failure("a rank sends more or less than another expects");
      std::copy_n(from.send + from.sent.offsets[me], from.sent.bytes[me], receive + received.offsets[other]);
    }
    with_.meet();
  }

  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override {
    own() = {.text = &text};
    with_.meet();
    std::vector<std::string> out;
    for (const shown& from : with_.all) out.push_back(*from.text);
    with_.meet();
    return out;
  }

  void give_up(const std::string& why) noexcept override {
    const std::scoped_lock lock(with_.mutex);
    if (with_.given_up.empty()) with_.given_up = "rank " + std::to_string(rank_) + " gave up: " + why;
    with_.changed.notify_all();
  }

  void abort(int /*exit_code*/) noexcept override { std::terminate(); }

 private:
  [[nodiscard]] shown& own() { return with_.all[static_cast<std::size_t>(rank_)]; }

  meeting& with_;
  int rank_;
};

}  // namespace

void run_ranks(int ranks, const std::function<void(communicator&)>& body,
               std::chrono::milliseconds patience) {
  meeting all(ranks);
  all.patience = patience;
  std::exception_ptr first;
  std::mutex first_mutex;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      thread_communicator here(all, rank);
      try {
        body(here);
      } catch (const std::exception& e) {
        {
          const std::scoped_lock lock(first_mutex);
          if (!first) first = std::current_exception();
        }
        here.give_up(e.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace ess::test
