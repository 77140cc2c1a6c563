// exp, log and the normal distribution out of additions, multiplications, divisions and square roots alone.
// IEEE 754 fixes those to the bit and this project is compiled without contraction, so results are the same
// on every machine; those of libm are not.
#pragma once

namespace ess {

// e^x for x in [-700, 700]; relative error below 1e-14.
[[nodiscard]] double portable_exp(double x);

// ln x for x > 0, normal; absolute error below 1e-15 times max(1, |ln x|).
[[nodiscard]] double portable_log(double x);

// The share of a standard normal distribution below z in [-8, 8]; absolute error below 1e-14. Series of
// Marsaglia, "Evaluating the normal distribution", Journal of Statistical Software 11(4), 2004.
[[nodiscard]] double normal_share_below(double z);

// The z with that share below it; share in [1e-12, 1 - 1e-12].
[[nodiscard]] double normal_quantile(double share);

}  // namespace ess
