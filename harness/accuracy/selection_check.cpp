#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

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

double score_error(const std::vector<float>& got, const ess::reference::index_scores& want) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::fabs(got[i] - want.score[i]);
    if (difference == 0) continue;
    const double error = difference / want.magnitude[i];
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
std::int64_t outside_rounding(const std::vector<token_id>& got, const ess::reference::index_scores& want) {
  const auto k = static_cast<std::size_t>(std::ranges::count_if(got, [](token_id id) { return id >= 0; }));
  if (k == 0 || k >= want.score.size()) return 0;
  std::vector<double> sorted = want.score;
  std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(k - 1), std::greater());
  const double error = find_bound("score_keys.score")->bound * std::ranges::max(want.magnitude);
  const double border = sorted[k - 1];
  std::int64_t count = 0;
  for (std::size_t i = 0; i < want.score.size(); ++i) {
    const bool selected = contains(got, static_cast<token_id>(i));
    count += selected && want.score[i] < border - 2 * error ? 1 : 0;
    count += !selected && want.score[i] > border + 2 * error ? 1 : 0;
  }
  return count;
}

std::int64_t wrong_locations(const check_context& c, const lane_record& r) {
  std::set<ess::row_location> seen;
  std::int64_t wrong = 0;
  const std::int64_t rows = r.seat.device_rows + c.layout.staging_rows - r.seat.staging_base;
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
  const auto want = ess::reference::score_paged_keys(r.index_query, r.index_weight, r.index_pages,
                                                     r.position + std::int64_t{1});
  out.add("score_keys.score", score_error(r.scores, want), place_of(r));
  const auto ids = ess::reference::select_top_k(std::span<const float>(r.scores), c.model().top_k);
  out.add("select_topk.differing_ids", static_cast<double>(differing(r.selected, ids)), place_of(r));
  out.add("select_topk.outside_rounding", static_cast<double>(outside_rounding(r.selected, want)),
          place_of(r));
  if (r.did(ess::op_kind::resolve)) {
    out.add("resolve.wrong_locations", static_cast<double>(wrong_locations(c, r)), place_of(r));
  }
  return out;
}

}  // namespace harness
