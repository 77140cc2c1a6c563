#include <algorithm>
#include <cmath>
#include <map>

#include "ess_core/reference/experts.h"
#include "ess_core/reference/linear.h"
#include "harness/accuracy/checks.h"

namespace harness {
namespace {

namespace reference = ess::reference;
using ess::weight_kind;
using vectors = std::vector<std::vector<double>>;

std::span<const float> copy_of(const std::vector<float>& values, const check_context& c, std::size_t copy) {
  const auto hidden = static_cast<std::size_t>(c.model().hidden);
  return std::span(values).subspan(copy * hidden, hidden);
}

std::vector<double> normed(const lane_record& r) {
  return reference::rms_norm(r.hidden_between, std::vector<float>(r.hidden_between.size(), 1.0f));
}

// The expert of a copy; the shared one has the last id.
std::int32_t expert_of(const check_context& c, const lane_record& r, std::size_t copy) {
  return copy < r.expert_choice.size() ? r.expert_choice[copy].expert : c.model().moe.experts;
}

void check_route(const check_context& c, const layer_records& records, findings& out) {
  vectors xs;
  for (const lane_record* r : records) xs.push_back(normed(*r));
  const std::int32_t layer = records.front()->layer;
  const vectors logits = multiply(*c.matrices.get(c.model(), c.seed, layer, weight_kind::router), xs);
  const matrix bias = c.matrices.get(c.model(), c.seed, layer, weight_kind::router_bias);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const lane_record& r = *records[i];
    double score = 0;
    for (std::size_t e = 0; e < r.router_scores.size(); ++e) {
      score = std::max(score, std::fabs(r.router_scores[e] - 1.0 / (1.0 + std::exp(-logits[i][e]))));
      if (std::isnan(r.router_scores[e])) score = NAN;
    }
    out.add("route.score", score, place_of(r));
    const auto want = reference::choose_experts(r.router_scores, *bias, c.model().moe);
    double differing = 0;
    double weight = 0;
    for (std::size_t k = 0; k < want.size(); ++k) {
      differing += want[k].expert == r.expert_choice[k].expert ? 0 : 1;
      const double error = std::fabs(r.expert_choice[k].weight - want[k].weight) / want[k].weight;
      weight = std::isnan(error) ? error : std::max(weight, error);
    }
    out.add("route.differing_experts", differing, place_of(r));
    out.add("route.weight", weight, place_of(r));
  }
}

void check_dispatch(const check_context& c, const lane_record& r, findings& out) {
  const std::vector<double> x = normed(r);
  double wrong = 0;
  double error = 0;
  for (std::size_t copy = 0; copy < r.expert_rows.size(); ++copy) {
    const std::int32_t expert = expert_of(c, r, copy);
    const bool known = expert >= 0 && expert <= c.model().moe.experts;
    const auto e = static_cast<std::size_t>(known ? expert : 0);
    const std::int32_t row = r.expert_rows[copy];
    wrong += known && row >= r.expert_starts[e] && row < r.expert_starts[e + 1] ? 0 : 1;
    error = std::max(error, relative_error(copy_of(r.expert_input, c, copy), x));
  }
  out.add("dispatch.wrong_rows", wrong, place_of(r));
  out.add("dispatch.input", error, place_of(r));
}

// The copies that went to one expert.
struct expert_load {
  vectors xs;
  std::vector<std::pair<const lane_record*, std::size_t>> copies;
};

void check_feed_forwards(const check_context& c, const layer_records& records, findings& out) {
  std::map<std::int32_t, expert_load> loads;
  for (const lane_record* r : records) {
    for (std::size_t copy = 0; copy < r->expert_rows.size(); ++copy) {
      expert_load& load = loads[expert_of(c, *r, copy)];
      const auto x = copy_of(r->expert_input, c, copy);
      load.xs.emplace_back(x.begin(), x.end());
      load.copies.emplace_back(r, copy);
    }
  }
  for (const auto& [expert, load] : loads) {
    const bool shared = expert == c.model().moe.experts;
    if (expert < 0 || expert > c.model().moe.experts) continue;  // route has failed
    const auto weights = [&](weight_kind routed, weight_kind of_shared) {
      return c.matrices.get(c.model(), c.seed, records.front()->layer, shared ? of_shared : routed,
                            shared ? 0 : expert);
    };
    vectors inner = multiply(*weights(weight_kind::expert_gate_up, weight_kind::shared_gate_up), load.xs);
    std::ranges::transform(inner, inner.begin(), silu_times);
    const vectors want = multiply(*weights(weight_kind::expert_down, weight_kind::shared_down), inner);
    for (std::size_t i = 0; i < want.size(); ++i) {
      const auto& [r, copy] = load.copies[i];
      out.add("experts.output", relative_error(copy_of(r->expert_output, c, copy), want[i]), place_of(*r));
    }
  }
}

void check_combine(const check_context& c, const lane_record& r, findings& out) {
  std::vector<double> weights;
  vectors outputs;
  for (std::size_t copy = 0; copy < r.expert_rows.size(); ++copy) {
    const auto output = copy_of(r.expert_output, c, copy);
    outputs.emplace_back(output.begin(), output.end());
    weights.push_back(copy < r.expert_choice.size() ? double{r.expert_choice[copy].weight} : 1.0);
  }
  out.add("combine.hidden",
          addition_error(r.hidden_between, r.hidden_out, reference::combine(weights, outputs)), place_of(r));
}

}  // namespace

findings check_experts(const check_context& c, const layer_records& records) {
  findings out;
  check_route(c, records, out);
  check_feed_forwards(c, records, out);
  for (const lane_record* r : records) {
    check_dispatch(c, *r, out);
    check_combine(c, *r, out);
  }
  return out;
}

}  // namespace harness
