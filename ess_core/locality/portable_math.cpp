#include "ess_core/locality/portable_math.h"

#include <cmath>

namespace ess {
namespace {

constexpr double inverse_sqrt_2pi = 0.39894228040143267794;

double normal_density(double z) { return inverse_sqrt_2pi * portable_exp(-z * z / 2); }

}  // namespace

double portable_exp(double x) {
  // x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, of which the first times n is exact.
  constexpr double ln2_head = 0x1.62e42feep-1;
  constexpr double ln2_tail = 0x1.a39ef35793c76p-33;
  const int n = static_cast<int>(x * 1.44269504088896340736 + (x < 0 ? -0.5 : 0.5));
  const double r = (x - n * ln2_head) - n * ln2_tail;
  double sum = 1.0;
  for (int i = 14; i > 0; --i) sum = 1.0 + sum * r / i;
  return std::ldexp(sum, n);  // exact
}

double portable_log(double x) {
  // x = m 2^n with m in [sqrt 1/2, sqrt 2); ln m = 2 artanh r for r = (m - 1) / (m + 1), |r| < 0.172.
  constexpr double ln2_head = 0x1.62e42feep-1;
  constexpr double ln2_tail = 0x1.a39ef35793c76p-33;
  int n = 0;
  double m = std::frexp(x, &n);  // exact
  if (m < 0.70710678118654752440) {
    m *= 2;
    --n;
  }
  const double r = (m - 1) / (m + 1);
  double sum = 0.0;
  for (int i = 21; i > 0; i -= 2) sum = sum * r * r + 1.0 / i;
  return n * ln2_head + (n * ln2_tail + 2 * r * sum);
}

double normal_share_below(double z) {
  double term = z;
  double sum = z;
  double before = 0.0;
  for (int i = 3; sum != before; i += 2) {
    before = sum;
    term = term * z * z / i;
    sum += term;
  }
  return 0.5 + sum * normal_density(z);
}

double normal_quantile(double share) {
  // Newton's method from the middle: beyond it the distribution bends back to the axis, so that each step
  // stays short of the solution, until rounding ends the approach.
  const bool upper = share > 0.5;
  const double wanted = upper ? 1 - share : share;
  double z = 0.0;
  for (;;) {
    const double next = z - (normal_share_below(z) - wanted) / normal_density(z);
    if (!(next < z)) return upper ? -z : z;
    z = next;
  }
}

}  // namespace ess
