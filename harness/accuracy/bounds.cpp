#include "harness/accuracy/bounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <tuple>

namespace harness {
namespace {

constexpr double no_number = std::numeric_limits<double>::max();

// In the order of a step's operations, which is also that of failures: the first one did it, others follow
// from it. f32 rounds to 6e-8 (u). A sum of n terms errs by about sqrt(n) u of its terms' magnitude, at most
// n u; with n up to 18,432 that is 8e-6, in the usual blocked order far less.
constexpr std::array<figure_bound, 36> bounds = {{
    {"draft.hidden", 2e-5, "two norms and a sum over twice hidden"},
    {"project_index.input_differing", 0, "copied"},
    {"project_index.q_resid", 2e-5, "two norms and a sum over hidden"},
    {"project_index.head_weight", 2e-5, "a sum over hidden; scales are powers of two"},
    {"project_index.code_share", 0.02,
     "of a layer's sample: values next to a rounding boundary, of bf16 before the Hadamard transform or of "
     "e4m3 after it"},
    {"project_index.code_distance", 1, "a boundary separates neighbours"},
    {"append_key.differing_bytes", 0, "copied"},
    {"score_keys.score", 1e-6,
     "of scale |weight| |query| |key|: 128 exact products, so sqrt(128) u and a few more"},
    {"select_topk.differing_ids", 0, "exact on the device's own scores"},
    {"select_topk.outside_rounding", 0, "an id may differ from double only within the scores' bound"},
    {"project_attention.query", 2e-5, "sums over q_lora, then over nope"},
    {"project_attention.code_share", 0.01,
     "of a layer's sample: values next to a rounding boundary of e4m3 or bf16"},
    {"project_attention.code_distance", 1, "a boundary separates neighbours"},
    {"resolve.wrong_locations", 0, "integers"},
    {"append_row.differing_rows", 0, "copied"},
    {"write_back.differing_rows", 0, "copied"},
    {"fetch.differing_rows", 0, "copied"},
    {"fetch_by_call.differing_rows", 0, "copied"},
    {"stream_layer.differing_rows", 0, "copied"},
    {"attend.differing_rows", 0, "rows are bytes: the one place where every stale or foreign row shows"},
    {"attend.output", 5e-5,
     "errors of logits (576 products) become relative errors of weights; an average over top-k rows cancels "
     "to about top_k^-0.5 of its terms. The same for attention in two parts: the merge's weights sum to 1, "
     "so "
     "it adds a few u to what its parts err by"},
    {"attend.lse", 1e-5, "a logarithm: the relative error of the sum of exponentials"},
    {"merge.output", 1e-5,
     "weights are exponentials of differences of logarithms: u times an lse of up to some tens"},
    {"merge.lse", 2e-6, "an exponential and a logarithm"},
    {"output.hidden", 5e-5,
     "of the largest value added: sums over kv_lora and heads x v; half a step of the hidden state itself, "
     "which is up to a hundred times larger"},
    {"feed_forward.hidden", 2e-5, "of the largest value added: sums over hidden and the width"},
    {"route.score", 3e-6,
     "a quarter, the sigmoid's steepest slope, of the error of a logit: of an input in two bf16 terms each "
     "value is off by up to 2^-18 of itself, so a logit of unit variance by 2.2e-6 (root mean square), and "
     "this is five times a quarter of that"},
    {"route.differing_experts", 0, "exact on the device's own scores: their sums with biases in double are"},
    {"route.weight", 1e-6, "a quotient by a sum of top_k scores, in f32 at worst"},
    {"dispatch.wrong_rows", 0, "integers"},
    {"dispatch.input", 5e-6, "a norm: a sum over hidden, a root and a product"},
    {"experts.output", 2e-5, "sums over hidden and the width, as in feed_forward"},
    {"combine.hidden", 2e-5,
     "of the largest value added: a rounding for each expert; half a step of the hidden state itself, which "
     "is up to a hundred times larger"},
    {"recorded.missing", 0, "a check of nothing would pass"},
    {"vs_all_gpu.differing_values", 0, "same kernels, same rows, same order"},
    {"vs_all_gpu.missing_seats", 0, "same requests"},
}};

double checked(double value) { return std::isfinite(value) ? value : no_number; }

}  // namespace

std::span<const figure_bound> figure_bounds() { return bounds; }

const figure_bound* find_bound(std::string_view figure) {
  const auto found = std::ranges::find(bounds, figure, &figure_bound::name);
  return found == bounds.end() ? nullptr : &*found;
}

void findings::add(std::string_view figure, double value, const place& at) {
  value = checked(value);
  const auto [known, added] = figures_.try_emplace(std::string(figure), value);
  if (!added) known->second = std::max(known->second, value);
  const figure_bound* bound = find_bound(figure);
  if (bound != nullptr && value > bound->bound) {
    failures_.push_back({std::string(figure), value, bound->bound, at});
  }
}

void findings::merge(const findings& other) {
  for (const auto& [name, value] : other.figures_) {
    const auto [known, added] = figures_.try_emplace(name, value);
    if (!added) known->second = std::max(known->second, value);
  }
  failures_.insert(failures_.end(), other.failures_.begin(), other.failures_.end());
}

std::vector<std::string> findings::failures(std::size_t limit) const {
  std::vector<failure> ordered = failures_;
  std::ranges::stable_sort(ordered, {}, [](const failure& f) {
    const std::int32_t layer = f.at.layer < 0 ? std::numeric_limits<std::int32_t>::max() : f.at.layer;
    return std::tuple(f.at.step, layer, find_bound(f.figure), f.at.request);
  });
  std::vector<std::string> out;
  for (const failure& f : ordered) {
    if (out.size() == limit) {
      out.push_back(fmt::format("and {} more", ordered.size() - limit));
      break;
    }
    const std::string layer = f.at.layer < 0 ? "all layers" : fmt::format("layer {}", f.at.layer);
    const std::string request = f.at.request < 0 ? "all requests" : fmt::format("request {}", f.at.request);
    out.push_back(fmt::format("{} {:.3g} above {:.3g} ({}, {}, step {})", f.figure, f.value, f.bound, layer,
                              request, f.at.step));
  }
  return out;
}

double relative_error(std::span<const float> got, std::span<const double> want) {
  if (got.size() != want.size()) return no_number;
  double largest = 0;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::fabs(got[i] - want[i]);
    if (std::isnan(difference)) return no_number;
    worst = std::max(worst, difference);
    largest = std::max(largest, std::fabs(want[i]));
  }
  return worst == 0 ? 0 : checked(worst / largest);
}

double log_error(std::span<const float> got, std::span<const double> want) {
  if (got.size() != want.size()) return no_number;
  double largest = 1;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (static_cast<double>(got[i]) == want[i]) continue;
    const double difference = std::fabs(got[i] - want[i]);
    if (!std::isfinite(difference)) return no_number;
    worst = std::max(worst, difference);
    largest = std::max(largest, std::fabs(want[i]));
  }
  return worst / largest;
}

}  // namespace harness
