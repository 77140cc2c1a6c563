// Weights made again for the reference, one matrix at a time, and products with them in double.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "ess_core/model/weights.h"

namespace harness {

using matrix = std::shared_ptr<const std::vector<float>>;  // [rows][columns]

// Keeps the matrices used last, up to a budget: the points of a run look at the same few layers. A matrix
// larger than the budget is made each time and freed with its last user.
class matrix_cache {
 public:
  explicit matrix_cache(ess::byte_count budget = {300'000'000}) : budget_(budget) {}

  [[nodiscard]] matrix get(const ess::model_dims& model, std::uint64_t seed, std::int32_t layer,
                           ess::weight_kind kind, std::int32_t expert = 0);
  [[nodiscard]] ess::byte_count kept() const;

 private:
  struct entry {
    ess::model_dims model;
    std::uint64_t seed;
    std::int32_t layer;
    ess::weight_kind kind;
    std::int32_t expert;
    matrix values;
  };
  ess::byte_count budget_;
  std::list<entry> entries_;  // used last first
};

// y = W x for several x, each sum in the order of the columns. Rows are spread over threads.
// weights: [rows][columns]; xs: [n][columns]. Returns [n][rows].
[[nodiscard]] std::vector<std::vector<double>> multiply(const std::vector<float>& weights,
                                                        const std::vector<std::vector<double>>& xs);

}  // namespace harness
