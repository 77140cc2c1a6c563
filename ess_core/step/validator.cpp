#include "ess_core/step/validator.h"

#include <fmt/format.h>

#include <array>

namespace ess {
namespace {

class checker {
 public:
  explicit checker(const step_program& program)
      : program_(program), before_(program.operations.size(), std::vector<bool>(program.operations.size())) {}

  std::vector<program_fault> run() {
    std::array<std::int32_t, stream_count> last{};
    last.fill(-1);
    for (std::int32_t i = 0; i < count(); ++i) {
      check_shape(i);
      std::int32_t& previous = last[static_cast<std::size_t>(op(i).stream)];
      if (previous >= 0) order_after(i, previous);
      for (const std::int32_t wait : op(i).waits) {
        if (wait < 0 || wait >= i) {
          fault(i, fmt::format("waits for operation {}, which is not an earlier one", wait));
        } else {
          order_after(i, wait);
        }
      }
      previous = i;
      check_races(i);
    }
    return std::move(faults_);
  }

 private:
  [[nodiscard]] std::int32_t count() const { return static_cast<std::int32_t>(program_.operations.size()); }
  [[nodiscard]] const operation& op(std::int32_t i) const {
    return program_.operations[static_cast<std::size_t>(i)];
  }
  void fault(std::int32_t i, std::string what) { faults_.push_back({i, std::move(what)}); }

  void check_shape(std::int32_t i) {
    const operation& o = op(i);
    if (o.layer < 0 || o.layer >= program_.layers) fault(i, fmt::format("layer {} is out of range", o.layer));
    if (o.slice.first < 0 || o.slice.count <= 0 || o.slice.first + o.slice.count > program_.seats) {
      fault(i, fmt::format("slice {}+{} is outside the batch", o.slice.first, o.slice.count));
    }
    if (o.accesses != accesses_of(o, program_.latent_copies)) fault(i, "accesses are not those of its kind");
  }

  void order_after(std::int32_t later, std::int32_t earlier) {
    auto& row = before_[static_cast<std::size_t>(later)];
    const auto& inherited = before_[static_cast<std::size_t>(earlier)];
    for (std::size_t k = 0; k < row.size(); ++k) row[k] = row[k] || inherited[k];
    row[static_cast<std::size_t>(earlier)] = true;
  }

  void check_races(std::int32_t i) {
    for (std::int32_t j = 0; j < i; ++j) {
      if (before_[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] || !conflict(op(j), op(i)))
        continue;
      fault(i, fmt::format("{} of layer {} races with {} of layer {} (operation {})", to_string(op(i).kind),
                           op(i).layer, to_string(op(j).kind), op(j).layer, j));
    }
  }

  const step_program& program_;
  std::vector<std::vector<bool>> before_;
  std::vector<program_fault> faults_;
};

}  // namespace

std::vector<program_fault> validate(const step_program& program) { return checker(program).run(); }

}  // namespace ess
