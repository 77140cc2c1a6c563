#include "ess_core/device/cpu/expert_journey.h"

namespace ess::cpu {

expert_pieces pieces_of(const context& c, batch_slice slice) {
  const auto experts = static_cast<std::size_t>(c.model().moe.experts) + 2;
  const auto counts = static_cast<std::size_t>(c.layout.ranks * c.experts_here.count());
  const auto seat = static_cast<std::size_t>(slice.first);
  return {.layout = c.layout,
          .slice = slice,
          .starts = {c.at<std::int32_t>(buffer_id::expert_starts, static_cast<std::int64_t>(seat * experts)),
                     experts},
          .arrived_counts = std::span(c.arrived_counts).subspan(seat * counts, counts)};
}

void send_to_experts(context& c, batch_slice slice) {
  const expert_pieces pieces = pieces_of(c, slice);
  const auto counts = static_cast<std::size_t>(c.layout.ranks * c.experts_here.count());
  tell_counts(*c.ranks, pieces,
              std::span(c.arrived_counts).subspan(static_cast<std::size_t>(slice.first) * counts, counts));
  std::byte* rows = c.at<std::byte>(buffer_id::expert_input);
  const rank_pieces own = pieces.own();
  c.ranks->all_to_all(rows, own.view(), rows, pieces.arrived().view());
  c.traffic.bytes_sent += own.bytes_to_others(c.ranks->rank());
}

void bring_back(context& c, batch_slice slice) {
  const expert_pieces pieces = pieces_of(c, slice);
  std::byte* rows = c.at<std::byte>(buffer_id::expert_output);
  const rank_pieces arrived = pieces.arrived();
  c.ranks->all_to_all(rows, arrived.view(), rows, pieces.own().view());
  c.traffic.bytes_sent += arrived.bytes_to_others(c.ranks->rank());
}

}  // namespace ess::cpu
