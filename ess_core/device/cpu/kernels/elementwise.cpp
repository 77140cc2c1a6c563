#include "ess_core/device/cpu/kernels/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h, and once for each target as well.
#include <hwy/contrib/math/math-inl.h>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls body(d, i) for whole vectors, then for what remains lane by lane.
template <class Body>
HWY_INLINE void for_each_vector(std::int64_t n, const Body& body) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(d, i);
  for (; i < n; ++i) body(one, i);
}

// Sum of term(d, i): four vectors of partial sums, then the remainder lane by lane.
template <class Term>
HWY_INLINE float sum_of(std::int64_t n, const Term& term) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto a = hn::Zero(d), b = a, c = a, e = a;
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    a = hn::Add(a, term(d, i));
    b = hn::Add(b, term(d, i + lanes));
    c = hn::Add(c, term(d, i + 2 * lanes));
    e = hn::Add(e, term(d, i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) a = hn::Add(a, term(d, i));
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  for (; i < n; ++i) sum += hn::GetLane(term(one, i));
  return sum;
}

void rms_norm_simd(const float* x, std::int64_t n, float* out) {
  const float squares = sum_of(n, [&](auto d, std::int64_t i) {
    const auto value = hn::LoadU(d, x + i);
    return hn::Mul(value, value);
  });
  const float factor = 1.0f / std::sqrt(squares / static_cast<float>(n) + norm_epsilon);
  for_each_vector(n, [&](auto d, std::int64_t i) {
    hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, out + i);
  });
}

void layer_norm_simd(const float* x, const float* weight, const float* bias, std::int64_t n, float* out) {
  const auto count = static_cast<float>(n);
  const float mean = sum_of(n, [&](auto d, std::int64_t i) { return hn::LoadU(d, x + i); }) / count;
  const float squares = sum_of(n, [&](auto d, std::int64_t i) {
    const auto value = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
    return hn::Mul(value, value);
  });
  const float factor = 1.0f / std::sqrt(squares / count + norm_epsilon);
  for_each_vector(n, [&](auto d, std::int64_t i) {
    const auto value = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, factor));
    hn::StoreU(hn::MulAdd(value, hn::LoadU(d, weight + i), hn::LoadU(d, bias + i)), d, out + i);
  });
}

void silu_multiply_simd(const float* gate, const float* up, std::int64_t n, float* out) {
  for_each_vector(n, [&](auto d, std::int64_t i) {
    const auto x = hn::LoadU(d, gate + i);
    // exp(-|x|) cannot overflow: x / (1 + exp(-x)) = x * (x < 0 ? e : 1) / (1 + e), e = exp(-|x|).
    const auto one = hn::Set(d, 1.0f);
    const auto e = hn::Exp(d, hn::Neg(hn::Abs(x)));
    const auto numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, e), x);
    const auto silu = hn::Div(numerator, hn::Add(one, e));
    hn::StoreU(hn::Mul(silu, hn::LoadU(d, up + i)), d, out + i);
  });
}

void add_simd(const float* x, std::int64_t n, float* out) {
  for_each_vector(n, [&](auto d, std::int64_t i) {
    hn::StoreU(hn::Add(hn::LoadU(d, out + i), hn::LoadU(d, x + i)), d, out + i);
  });
}

void add_scaled_simd(const float* x, float factor, std::int64_t n, float* out) {
  for_each_vector(n, [&](auto d, std::int64_t i) {
    hn::StoreU(hn::MulAdd(hn::LoadU(d, x + i), hn::Set(d, factor), hn::LoadU(d, out + i)), d, out + i);
  });
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(rms_norm_simd);
HWY_EXPORT(layer_norm_simd);
HWY_EXPORT(silu_multiply_simd);
HWY_EXPORT(add_simd);
HWY_EXPORT(add_scaled_simd);
}  // namespace

void rms_norm(const float* x, std::int64_t n, float* out) { HWY_DYNAMIC_DISPATCH(rms_norm_simd)(x, n, out); }
void layer_norm(const float* x, const float* weight, const float* bias, std::int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(layer_norm_simd)(x, weight, bias, n, out);
}
void silu_multiply(const float* gate, const float* up, std::int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(silu_multiply_simd)(gate, up, n, out);
}
void add(const float* x, std::int64_t n, float* out) { HWY_DYNAMIC_DISPATCH(add_simd)(x, n, out); }
void add_scaled(const float* x, float factor, std::int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(add_scaled_simd)(x, factor, n, out);
}

}  // namespace ess::cpu
#endif
