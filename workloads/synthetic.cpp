// A request log without a file.
#include <array>
#include <cmath>
#include <span>

#include "ess_core/base/random.h"
#include "workloads/requests.h"

namespace workloads {
namespace {

// A quantile of a length's distribution. `height` is in thousandths of the way from one anchor to the next:
// from 0 to p50 for levels up to 0.5, from p50 to p95 up to 0.95, from p95 to the maximum above.
struct quantile {
  double level;
  double height;
};

// Both measured on the conversation log of Mooncake's FAST'25 release, 12,031 requests.
constexpr std::array<quantile, 14> prompt_shape = {{{0.0, 129},
                                                    {0.05, 130},
                                                    {0.10, 140},
                                                    {0.25, 334},
                                                    {0.50, 1000},
                                                    {0.60, 82},
                                                    {0.70, 193},
                                                    {0.80, 336},
                                                    {0.90, 627},
                                                    {0.95, 1000},
                                                    {0.98, 311},
                                                    {0.99, 529},
                                                    {0.995, 708},
                                                    {1.0, 1000}}};
constexpr std::array<quantile, 14> output_shape = {{{0.0, 3},
                                                    {0.05, 29},
                                                    {0.10, 69},
                                                    {0.25, 446},
                                                    {0.50, 1000},
                                                    {0.60, 141},
                                                    {0.70, 279},
                                                    {0.80, 443},
                                                    {0.90, 710},
                                                    {0.95, 1000},
                                                    {0.98, 150},
                                                    {0.99, 324},
                                                    {0.995, 670},
                                                    {1.0, 1000}}};

struct anchors {
  double p50;
  double p95;
  double max;
};

double tokens_at(const quantile& q, const anchors& of) {
  const double part = q.height / 1000.0;
  if (q.level <= 0.5) return part * of.p50;
  if (q.level <= 0.95) return of.p50 + part * (of.p95 - of.p50);
  return of.p95 + part * (of.max - of.p95);
}

// The inverse of the cumulative distribution at u in [0, 1).
int draw_length(std::span<const quantile> shape, const anchors& of, double u) {
  std::size_t i = 1;
  while (i + 1 < shape.size() && u >= shape[i].level) ++i;
  const double low = tokens_at(shape[i - 1], of);
  const double high = tokens_at(shape[i], of);
  const double share = (u - shape[i - 1].level) / (shape[i].level - shape[i - 1].level);
  return std::max(1, static_cast<int>(low + share * (high - low)));
}

// ln x for x in (0, 1] by 2 artanh((m - 1) / (m + 1)) with m in [0.7, 1.42): additions, multiplications and
// divisions alone, which IEEE 754 rounds the same everywhere; std::log differs between libraries.
double natural_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact
  if (m < 0.70710678118654752) {
    m *= 2.0;
    --exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  double series = 0.0;
  for (int k = 23; k >= 1; k -= 2) series = series * (s * s) + 1.0 / k;  // next term below 1e-18
  return 2.0 * s * series + exponent * 0.69314718055994531;
}

}  // namespace

std::vector<request_spec> synthetic_requests(const settings::request_settings& of, std::int64_t seed) {
  const auto key = static_cast<std::uint64_t>(seed);
  const ess::counter_rng arrivals(key, ess::purpose::arrivals);
  const ess::counter_rng prompts(key, ess::purpose::lengths, 0);
  const ess::counter_rng outputs(key, ess::purpose::lengths, 1);
  const anchors prompt{1.0 * of.prompt_tokens_p50, 1.0 * of.prompt_tokens_p95, 1.0 * of.prompt_tokens_max};
  const anchors output{1.0 * of.output_tokens_p50, 1.0 * of.output_tokens_p95, 1.0 * of.output_tokens_max};
  std::vector<request_spec> log;
  double now = 0.0;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(of.count); ++i) {
    if (i > 0) now -= natural_log(1.0 - arrivals.uniform(i)) / of.rate_per_s;
    log.push_back({now, draw_length(prompt_shape, prompt, prompts.uniform(i)),
                   draw_length(output_shape, output, outputs.uniform(i))});
  }
  return log;
}

}  // namespace workloads
