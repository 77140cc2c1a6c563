#include "harness/accuracy/matrix_cache.h"

#include "ess_core/model/presets.h"
#include "ess_core/reference/linear.h"

namespace harness {
namespace {

using ess::weight_kind;

TEST(matrix_cache, keeps_what_was_used_last_within_its_budget) {
  const ess::model_dims model = ess::find_model_preset("tiny").value();
  const auto bytes = [&](weight_kind kind) { return ess::shape_of(model, kind).size() * 4; };
  matrix_cache cache({bytes(weight_kind::down) * 2});
  const matrix first = cache.get(model, 1, 0, weight_kind::down);
  const matrix second = cache.get(model, 1, 1, weight_kind::down);
  EXPECT_EQ(cache.get(model, 1, 0, weight_kind::down), first);
  EXPECT_NE(cache.get(model, 2, 0, weight_kind::down), first);  // drops `second`
  EXPECT_EQ(cache.get(model, 1, 0, weight_kind::down), first);
  EXPECT_NE(cache.get(model, 1, 1, weight_kind::down), second);
  EXPECT_EQ(cache.kept().value, bytes(weight_kind::down) * 2);
  EXPECT_EQ(*first, ess::make_weights(model, 1, 0, weight_kind::down));
}

TEST(matrix_cache, does_not_keep_what_is_larger_than_its_budget) {
  const ess::model_dims model = ess::find_model_preset("tiny").value();
  matrix_cache cache({16});
  EXPECT_EQ(cache.get(model, 1, 0, weight_kind::down)->size(),
            static_cast<std::size_t>(ess::shape_of(model, weight_kind::down).size()));
  EXPECT_EQ(cache.kept().value, 0);
}

TEST(matrix_cache, products_equal_the_reference_bit_for_bit) {
  const ess::model_dims model = ess::find_model_preset("tiny").value();
  const std::vector<float> w = ess::make_weights(model, 1, 0, weight_kind::gate_up);
  const auto columns = static_cast<std::size_t>(ess::shape_of(model, weight_kind::gate_up).columns);
  std::vector<std::vector<double>> xs;
  std::vector<std::vector<double>> want;
  for (std::size_t k = 0; k < 5; ++k) {
    const std::vector<float> x(w.begin() + static_cast<std::ptrdiff_t>(k * columns),
                               w.begin() + static_cast<std::ptrdiff_t>((k + 1) * columns));
    xs.emplace_back(x.begin(), x.end());
    want.push_back(ess::reference::matrix_vector(w, x));
  }
  EXPECT_EQ(multiply(w, xs), want);
  EXPECT_TRUE(multiply(w, {}).empty());
}

}  // namespace
}  // namespace harness
