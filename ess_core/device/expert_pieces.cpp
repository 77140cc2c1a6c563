#include "ess_core/device/expert_pieces.h"

#include <fmt/format.h>

#include <numeric>

namespace ess {
namespace {

std::int64_t row_bytes(const memory_layout& l) { return std::int64_t{l.model.hidden} * 4; }

}  // namespace

expert_range experts_here(const moe_dims& moe, const communicator* ranks) {
  return ranks != nullptr ? experts_of(moe, ranks->rank(), ranks->ranks()) : experts_of(moe, 0, 1);
}

std::string network_fault(const operation& op, const communicator* ranks) {
  const bool journey = op.kind == op_kind::dispatch || op.kind == op_kind::combine;
  if ((op.stream == stream_id::network) == (journey && ranks != nullptr)) return {};
  return fmt::format(
      "{} on the {} stream, and {}", to_string(op.kind), to_string(op.stream),
      ranks != nullptr ? "other ranks have experts, too" : "all experts are here: there is no network");
}

void rank_pieces::add(std::int64_t offset, std::int64_t size) {
  offsets.push_back(offset);
  bytes.push_back(size);
}

std::int64_t rank_pieces::bytes_to_others(int self) const {
  return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0}) - bytes[static_cast<std::size_t>(self)];
}

std::span<const std::int32_t> expert_pieces::arrived_from(int rank) const {
  const std::size_t here = arrived_counts.size() / static_cast<std::size_t>(layout.ranks);
  return arrived_counts.subspan(static_cast<std::size_t>(rank) * here, here);
}

std::int64_t expert_pieces::first_arrived_row() const {
  return layout.own_expert_rows() +
         std::int64_t{slice.first} * layout.shape.query_tokens * layout.arrived_rows_per_lane();
}

std::int32_t expert_pieces::arrived_rows() const {
  return std::accumulate(arrived_counts.begin(), arrived_counts.end(), 0);
}

rank_pieces expert_pieces::own() const {
  rank_pieces out;
  for (int to = 0; to < layout.ranks; ++to) {
    const expert_range of = experts_of(layout.model.moe, to, layout.ranks);
    const std::int64_t first = starts[static_cast<std::size_t>(of.first)];
    out.add(first * row_bytes(layout),
            (starts[static_cast<std::size_t>(of.end)] - first) * row_bytes(layout));
  }
  return out;
}

rank_pieces expert_pieces::arrived() const {
  rank_pieces out;
  std::int64_t at = first_arrived_row() * row_bytes(layout);
  for (int from = 0; from < layout.ranks; ++from) {
    const auto counts = arrived_from(from);
    const std::int64_t size =
        std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) * row_bytes(layout);
    out.add(at, size);
    at += size;
  }
  return out;
}

void expert_pieces::count_own_rows(std::vector<std::int64_t>& by_expert) const {
  by_expert.resize(static_cast<std::size_t>(layout.model.moe.experts));
  for (std::size_t e = 0; e < by_expert.size(); ++e) by_expert[e] += starts[e + 1] - starts[e];
}

void tell_counts(communicator& ranks, const expert_pieces& of, std::span<std::int32_t> arrived_counts) {
  std::vector<std::int64_t> rows;
  of.count_own_rows(rows);
  const std::vector<std::int32_t> counts(rows.begin(), rows.end());
  const std::int64_t here = static_cast<std::int64_t>(arrived_counts.size()) / of.layout.ranks;
  constexpr std::int64_t word = sizeof(std::int32_t);
  rank_pieces sent, received;
  for (int rank = 0; rank < of.layout.ranks; ++rank) {
    const expert_range there = experts_of(of.layout.model.moe, rank, of.layout.ranks);
    sent.add(there.first * word, there.count() * word);
    received.add(rank * here * word, here * word);
  }
  ranks.all_to_all(reinterpret_cast<const std::byte*>(counts.data()), sent.view(),
                   reinterpret_cast<std::byte*>(arrived_counts.data()), received.view());
}

}  // namespace ess
