#include <algorithm>
#include <string>

#include "harness/accuracy/checks.h"

namespace harness {
namespace {

std::int64_t differing_rows(const check_context& c, const lane_record& r,
                            const std::vector<row_record>& rows) {
  return std::ranges::count_if(rows, [&](const row_record& row) {
    return row.bytes.empty() || row.bytes != c.truth.latent_row(r, row.token);
  });
}

std::int64_t differing_streamed_rows(const check_context& c, const lane_record& r) {
  const auto row = static_cast<std::size_t>(c.model().latent_row_bytes().value);
  std::int64_t count = 0;
  for (ess::token_id token = 0; token < r.seat.position; ++token) {
    const auto got = std::span(r.streamed).subspan(static_cast<std::size_t>(token) * row, row);
    count += std::ranges::equal(got, c.truth.latent_row(r, token)) ? 0 : 1;
  }
  return count;
}

}  // namespace

findings check_rows(const check_context& c, const lane_record& r) {
  findings out;
  const auto check = [&](ess::op_kind kind, const std::vector<row_record>& rows) {
    if (!r.did(kind)) return;
    out.add(std::string(to_string(kind)) + ".differing_rows", static_cast<double>(differing_rows(c, r, rows)),
            place_of(r));
  };
  check(ess::op_kind::append_row, r.appended);
  check(ess::op_kind::write_back, r.written_back);
  check(ess::op_kind::fetch, r.fetched);
  check(ess::op_kind::fetch_by_call, r.fetched);
  if (r.did(ess::op_kind::stream_layer)) {
    out.add("stream_layer.differing_rows", static_cast<double>(differing_streamed_rows(c, r)), place_of(r));
  }
  // Every selected id was attended once, by one part or the other.
  const auto selected = std::ranges::count_if(r.selected, [](ess::token_id id) { return id >= 0; });
  const auto attended = static_cast<std::int64_t>(r.attended.size());
  out.add("attend.differing_rows",
          static_cast<double>(differing_rows(c, r, r.attended) +
                              std::max(selected - attended, attended - selected)),
          place_of(r));
  return out;
}

}  // namespace harness
