#include "ess_core/communicator/communicator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace ess {
namespace {

class lone_communicator final : public communicator {
 public:
  [[nodiscard]] std::string_view name() const override { return "none"; }
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int ranks() const override { return 1; }
  [[nodiscard]] int local_ranks() const override { return 1; }
  [[nodiscard]] int local_rank() const override { return 0; }
  void barrier() override {}
  void all_to_all(const std::byte* send, const exchange_pieces& sent, std::byte* receive,
                  const exchange_pieces& received) override {
    std::copy_n(send + sent.offsets[0], sent.bytes[0], receive + received.offsets[0]);
  }
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override { return {text}; }
  void give_up(const std::string& /*why*/) noexcept override {}
  void abort(int exit_code) noexcept override { std::_Exit(exit_code); }
};

}  // namespace

std::vector<double> largest(communicator& ranks, std::span<const double> values) {
  std::vector<double> out(values.begin(), values.end());
  if (ranks.ranks() == 1) return out;
  const std::string own(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  for (const std::string& of_rank : ranks.gather(own)) {
    if (of_rank.size() != own.size()) throw rank_failure("the ranks do not say the same kind of thing");
    for (std::size_t i = 0; i < out.size(); ++i) {
      double value = 0;
      std::memcpy(&value, of_rank.data() + i * sizeof(double), sizeof(double));
      out[i] = std::max(out[i], value);
    }
  }
  return out;
}

bool any(communicator& ranks, bool here) {
  const double value = here ? 1 : 0;
  return largest(ranks, std::span(&value, 1)).front() > 0;
}

std::unique_ptr<communicator> make_lone_communicator() { return std::make_unique<lone_communicator>(); }

}  // namespace ess
