// What is measured, how large it may be and why; and what came out.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/base/units.h"

namespace harness {

struct figure_bound {
  std::string_view name;  // operation, dot, what of it
  double bound = 0;
  std::string_view why;
};

[[nodiscard]] std::span<const figure_bound> figure_bounds();
// Null for a figure that is reported and not judged.
[[nodiscard]] const figure_bound* find_bound(std::string_view figure);

// Where a figure was taken.
struct place {
  std::int32_t step = 0;
  std::int32_t layer = -1;       // -1: all
  ess::request_id request = -1;  // -1: all
};

// The largest value of each figure, and those above their bound.
class findings {
 public:
  void add(std::string_view figure, double value, const place& at);
  void merge(const findings& other);

  [[nodiscard]] bool ok() const { return failures_.empty(); }
  [[nodiscard]] const std::map<std::string, double>& figures() const { return figures_; }
  // At most `limit` of them, ordered by step, layer, operation and request, and the number of the others.
  [[nodiscard]] std::vector<std::string> failures(std::size_t limit) const;

 private:
  struct failure {
    std::string figure;
    double value;
    double bound;
    place at;
  };
  std::map<std::string, double> figures_;
  std::vector<failure> failures_;
};

// max |got - want| / max |want|; the largest double where that is no number, so that a NaN never passes.
[[nodiscard]] double relative_error(std::span<const float> got, std::span<const double> want);
// max |got - want| / max(1, max |want|), for logarithms; equal infinities do not differ.
[[nodiscard]] double log_error(std::span<const float> got, std::span<const double> want);

}  // namespace harness
