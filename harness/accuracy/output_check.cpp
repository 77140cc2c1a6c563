#include <algorithm>
#include <cmath>

#include "ess_core/reference/attention.h"
#include "ess_core/reference/linear.h"
#include "harness/accuracy/checks.h"

namespace harness {
namespace {

using ess::weight_kind;
using vectors = std::vector<std::vector<double>>;

vectors product(const check_context& c, const layer_records& records, weight_kind kind, const vectors& xs) {
  return multiply(*c.matrices.get(c.model(), c.seed, records.front()->layer, kind), xs);
}

}  // namespace

double addition_error(const std::vector<float>& before, const std::vector<float>& after,
                      const std::vector<double>& added) {
  double worst = 0;
  double largest = 0;
  for (std::size_t i = 0; i < added.size(); ++i) {
    const double error = std::fabs(after[i] - (before[i] + added[i]));
    if (std::isnan(error)) return error;
    worst = std::max(worst, error);
    largest = std::max(largest, std::fabs(added[i]));
  }
  return worst / largest;
}

std::vector<double> silu_times(const std::vector<double>& gate_up) {
  const std::size_t width = gate_up.size() / 2;
  std::vector<double> out(width);
  for (std::size_t i = 0; i < width; ++i) {
    out[i] = gate_up[i] / (1.0 + std::exp(-gate_up[i])) * gate_up[width + i];
  }
  return out;
}

findings check_output(const check_context& c, const layer_records& records) {
  findings out;
  vectors values;
  const matrix value_up = c.matrices.get(c.model(), c.seed, records.front()->layer, weight_kind::v_up);
  for (const lane_record* r : records) {
    values.push_back(ess::reference::value_up_projection(r->whole.output, *value_up, c.model().heads));
  }
  const vectors added = product(c, records, weight_kind::out, values);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const lane_record& r = *records[i];
    out.add("output.hidden", addition_error(r.hidden_in, r.hidden_between, added[i]), place_of(r));
  }
  return out;
}

findings check_feed_forward(const check_context& c, const layer_records& records) {
  findings out;
  vectors inner;
  for (const lane_record* r : records) {
    const std::vector<float> ones(r->hidden_between.size(), 1.0f);
    inner.push_back(ess::reference::rms_norm(r->hidden_between, ones));
  }
  inner = product(c, records, weight_kind::gate_up, inner);
  std::ranges::transform(inner, inner.begin(), silu_times);
  const vectors added = product(c, records, weight_kind::down, inner);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const lane_record& r = *records[i];
    out.add("feed_forward.hidden", addition_error(r.hidden_between, r.hidden_out, added[i]), place_of(r));
  }
  return out;
}

}  // namespace harness
