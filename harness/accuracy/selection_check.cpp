#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "ess_core/base/e4m3.h"
#include "ess_core/layout/index_key.h"
#include "ess_core/reference/indexer.h"
#include "harness/accuracy/checks.h"

namespace harness {
namespace {

using ess::token_id;

bool contains(const std::vector<token_id>& ascending, token_id id) {
  const auto end = std::ranges::find(ascending, -1);
  return std::binary_search(ascending.begin(), end, id);
}

double norm(std::span<const std::uint8_t> codes) {
  double sum = 0;
  for (const std::uint8_t code : codes) sum += double{ess::e4m3_to_float(code)} * ess::e4m3_to_float(code);
  return std::sqrt(sum);
}

// What a score's rounding is relative to: key scale x sum over heads of |weight| |query| |key|. The score
// itself will not do, nor the sum of its heads' terms: a product of query and key can cancel to next to
// nothing.
std::vector<double> score_scales(const check_context& c, const lane_record& r) {
  const auto dim = static_cast<std::size_t>(c.model().index_dim);
  double heads = 0;
  for (std::size_t h = 0; h < r.index_weight.size(); ++h) {
    heads += std::fabs(double{r.index_weight[h]}) * norm(std::span(r.index_query).subspan(h * dim, dim));
  }
  std::vector<double> out(r.scores.size());
  std::vector<std::uint8_t> key(dim);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float scale = ess::unpack_index_key(r.index_pages, static_cast<std::int64_t>(i), key);
    out[i] = std::fabs(double{scale}) * heads * norm(key);
  }
  return out;
}

double score_error(const std::vector<float>& got, const std::vector<double>& want,
                   const std::vector<double>& scales) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::fabs(got[i] - want[i]);
    if (difference == 0) continue;
    const double error = difference / scales[i];
    if (std::isnan(error)) return error;
    worst = std::max(worst, error);
  }
  return worst;
}

std::int64_t differing(const std::vector<token_id>& got, const std::vector<token_id>& want) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < want.size(); ++i) count += got[i] == want[i] ? 0 : 1;
  return count;
}

// Scores that each err by at most e move the k-th largest by at most e: an id further than 2 e from it is
// certain.
std::int64_t outside_rounding(const std::vector<token_id>& got, const std::vector<double>& want,
                              double error) {
  const auto k = static_cast<std::size_t>(std::ranges::count_if(got, [](token_id id) { return id >= 0; }));
  if (k == 0 || k >= want.size()) return 0;
  std::vector<double> sorted = want;
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(k - 1), std::greater());
  const double border = sorted[k - 1];
  std::int64_t count = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const bool selected = contains(got, static_cast<token_id>(i));
    count += selected && want[i] < border - 2 * error ? 1 : 0;
    count += !selected && want[i] > border + 2 * error ? 1 : 0;
  }
  return count;
}

std::int64_t wrong_locations(const check_context& c, const lane_record& r) {
  std::set<ess::row_location> seen;
  std::int64_t wrong = 0;
  const std::int64_t rows =
      c.layout.rows_in(r.layer, r.seat.device_rows) + c.layout.staging_rows - r.seat.staging_base;
  for (std::size_t i = 0; i < r.selected.size(); ++i) {
    if (r.selected[i] < 0) {
      wrong += r.locations[i] == ess::no_location ? 0 : 1;
      continue;
    }
    const ess::row_location row = r.locations[i] & ~ess::incoming_flag;
    const bool good = r.locations[i] >= 0 && row < rows && seen.insert(row).second;
    wrong += good ? 0 : 1;
  }
  return wrong;
}

}  // namespace

findings check_index_keys(const check_context& c, const lane_record& r) {
  findings out;
  const auto dim = static_cast<std::size_t>(c.model().index_dim);
  const ess::index_page_format format{.dim = c.model().index_dim};
  std::int64_t bytes = 0;
  for (token_id token = 0; token <= r.position; ++token) {
    const std::vector<std::uint8_t> want = c.truth.index_key(r, token);
    if (want.empty()) {
      bytes += format.dim;
      continue;
    }
    const std::uint8_t* key = r.index_pages.data() + format.key_offset(token);
    const std::uint8_t* scale = r.index_pages.data() + format.scale_offset(token);
    for (std::size_t i = 0; i < want.size(); ++i)
      bytes += want[i] == (i < dim ? key[i] : scale[i - dim]) ? 0 : 1;
  }
  out.add("append_key.differing_bytes", static_cast<double>(bytes), place_of(r));
  return out;
}

findings check_selection(const check_context& c, const lane_record& r) {
  findings out;
  const std::vector<double> want =
      ess::reference::score_paged_keys(r.index_query, r.index_weight, r.index_pages,
                                       r.position + std::int64_t{1})
          .score;
  const std::vector<double> scales = score_scales(c, r);
  const double rounding = find_bound("score_keys.score")->bound * std::ranges::max(scales);
  out.add("score_keys.score", score_error(r.scores, want, scales), place_of(r));
  const auto ids = ess::reference::select_top_k(std::span<const float>(r.scores), c.model().top_k);
  out.add("select_topk.differing_ids", static_cast<double>(differing(r.selected, ids)), place_of(r));
  out.add("select_topk.outside_rounding", static_cast<double>(outside_rounding(r.selected, want, rounding)),
          place_of(r));
  if (r.did(ess::op_kind::resolve)) {
    out.add("resolve.wrong_locations", static_cast<double>(wrong_locations(c, r)), place_of(r));
  }
  return out;
}

}  // namespace harness
