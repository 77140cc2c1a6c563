#include "ess_core/device/cpu/expert_journey.h"

#include <numeric>

namespace ess::cpu {
namespace {

struct pieces {
  std::vector<std::int64_t> offsets, bytes;  // [ranks]

  [[nodiscard]] exchange_pieces view() const { return {.offsets = offsets, .bytes = bytes}; }
  void add(std::int64_t offset, std::int64_t size) {
    offsets.push_back(offset);
    bytes.push_back(size);
  }
  [[nodiscard]] std::int64_t to_others(int self) const {
    return std::accumulate(bytes.begin(), bytes.end(), std::int64_t{0}) -
           bytes[static_cast<std::size_t>(self)];
  }
};

std::int64_t row_bytes_of(const context& c) { return std::int64_t{c.model().hidden} * 4; }

// Of this rank's rows, those for the experts of each rank.
pieces own_pieces(const context& c, const std::int32_t* starts) {
  pieces out;
  for (int to = 0; to < c.layout.ranks; ++to) {
    const expert_range of = experts_of(c.model().moe, to, c.layout.ranks);
    out.add(starts[of.first] * row_bytes_of(c), (starts[of.end] - starts[of.first]) * row_bytes_of(c));
  }
  return out;
}

// What is here for the experts of this rank, by the rank of its tokens.
pieces arrived_pieces(const context& c, batch_slice slice) {
  pieces out;
  std::int64_t at = first_arrived_row(c, slice) * row_bytes_of(c);
  for (int from = 0; from < c.layout.ranks; ++from) {
    const auto counts = arrived_counts_of(c, slice, from);
    const std::int64_t bytes =
        std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) * row_bytes_of(c);
    out.add(at, bytes);
    at += bytes;
  }
  return out;
}

// How many rows each expert gets from each rank.
void tell_counts(context& c, batch_slice slice, const std::int32_t* starts) {
  std::vector<std::int32_t> counts(static_cast<std::size_t>(c.model().moe.experts));
  for (std::size_t e = 0; e < counts.size(); ++e) counts[e] = starts[e + 1] - starts[e];
  pieces sent, received;
  constexpr std::int64_t word = sizeof(std::int32_t);
  for (int rank = 0; rank < c.layout.ranks; ++rank) {
    const expert_range of = experts_of(c.model().moe, rank, c.layout.ranks);
    sent.add(of.first * word, of.count() * word);
    received.add(rank * c.experts_here.count() * word, c.experts_here.count() * word);
  }
  c.ranks->all_to_all(reinterpret_cast<const std::byte*>(counts.data()), sent.view(),
                      reinterpret_cast<std::byte*>(arrived_counts_of(c, slice, 0).data()), received.view());
}

std::size_t first_count(const context& c, batch_slice slice, int from) {
  return static_cast<std::size_t>((slice.first * c.layout.ranks + from) * c.experts_here.count());
}

}  // namespace

std::int64_t first_arrived_row(const context& c, batch_slice slice) {
  return c.layout.own_expert_rows() +
         std::int64_t{slice.first} * c.queries() * c.layout.arrived_rows_per_lane();
}

std::span<std::int32_t> arrived_counts_of(context& c, batch_slice slice, int from) {
  return std::span(c.arrived_counts)
      .subspan(first_count(c, slice, from), static_cast<std::size_t>(c.experts_here.count()));
}

std::span<const std::int32_t> arrived_counts_of(const context& c, batch_slice slice, int from) {
  return std::span(c.arrived_counts)
      .subspan(first_count(c, slice, from), static_cast<std::size_t>(c.experts_here.count()));
}

void send_to_experts(context& c, batch_slice slice, const std::int32_t* starts) {
  tell_counts(c, slice, starts);
  std::byte* rows = c.at<std::byte>(buffer_id::expert_input);
  const pieces own = own_pieces(c, starts);
  c.ranks->all_to_all(rows, own.view(), rows, arrived_pieces(c, slice).view());
  c.traffic.bytes_sent += own.to_others(c.ranks->rank());
}

void bring_back(context& c, batch_slice slice, const std::int32_t* starts) {
  std::byte* rows = c.at<std::byte>(buffer_id::expert_output);
  const pieces arrived = arrived_pieces(c, slice);
  c.ranks->all_to_all(rows, arrived.view(), rows, own_pieces(c, starts).view());
  c.traffic.bytes_sent += arrived.to_others(c.ranks->rank());
}

}  // namespace ess::cpu
