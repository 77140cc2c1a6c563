#include "ess_core/device/cuda/expert_journey.h"

#include <numeric>
#include <span>

#include "ess_core/device/cuda/kernels/norms.h"
#include "ess_core/device/expert_pieces.h"

namespace ess::ESS_CUDA {
namespace {

expert_pieces pieces_of(const context& c, batch_slice slice) {
  const std::int64_t experts = c.model().moe.experts + 2;
  const auto held = static_cast<std::size_t>(c.experts_here.count());
  const auto lists = static_cast<std::size_t>(c.layout.ranks);
  return {.layout = c.layout,
          .slice = slice,
          .starts = std::span(c.starts).subspan(static_cast<std::size_t>(slice.first * experts),
                                                static_cast<std::size_t>(experts)),
          .arrived_counts = std::span(c.arrived_counts)
                                .subspan(static_cast<std::size_t>(slice.first) * lists * held, lists * held)};
}

// Of a slice's lists of first rows.
std::size_t first_list(const context& c, batch_slice slice) {
  return static_cast<std::size_t>(slice.first * c.layout.ranks) *
         static_cast<std::size_t>(c.experts_here.count() + 1);
}

void upload_arrived_starts(context& c, const expert_pieces& pieces, batch_slice slice, const stream& on) {
  const std::size_t first = first_list(c, slice);
  auto* host = reinterpret_cast<std::int32_t*>(c.arrived_starts_host.on_host()) + first;
  std::int32_t* next = host;
  auto row = static_cast<std::int32_t>(pieces.first_arrived_row());
  for (int from = 0; from < c.layout.ranks; ++from) {
    for (const std::int32_t count : pieces.arrived_from(from)) {
      *next++ = row;
      row += count;
    }
    *next++ = row;
  }
  check("cudaMemcpyAsync of first rows",
        cudaMemcpyAsync(reinterpret_cast<std::int32_t*>(c.arrived_starts.data()) + first, host,
                        static_cast<std::size_t>(next - host) * sizeof(std::int32_t), cudaMemcpyHostToDevice,
                        on.get()));
}

}  // namespace

rows_in normed_for_journey(const context& c, lane_range lanes, const stream& on) {
  const rows_out hidden = hidden_of(c, lanes);
  auto* out = reinterpret_cast<float*>(c.network_scratch.data()) + lanes.first * hidden.pitch;
  check("launch of rms_norm", rms_norm({.x = hidden.data,
                                        .x_pitch = hidden.pitch,
                                        .out = out,
                                        .out_pitch = hidden.pitch,
                                        .rows = lanes.count,
                                        .n = c.model().hidden},
                                       on.get()));
  return {out, hidden.pitch};
}

void send_to_experts(context& c, batch_slice slice, const stream& on) {
  const std::int64_t experts = c.model().moe.experts + 2;
  std::int32_t* starts = c.starts.data() + slice.first * experts;
  check("cudaMemcpyAsync of expert counts",
        cudaMemcpyAsync(starts, c.at<std::int32_t>(buffer_id::expert_starts, slice.first * experts),
                        static_cast<std::size_t>(experts) * sizeof(std::int32_t), cudaMemcpyDeviceToHost,
                        on.get()));
  on.synchronize();
  const expert_pieces pieces = pieces_of(c, slice);
  const auto counts = static_cast<std::size_t>(c.layout.ranks * c.experts_here.count());
  tell_counts(*c.ranks, pieces,
              std::span(c.arrived_counts).subspan(static_cast<std::size_t>(slice.first) * counts, counts));
  upload_arrived_starts(c, pieces, slice, on);
  std::byte* rows = c.at<std::byte>(buffer_id::expert_input);
  const rank_pieces own = pieces.own();
  c.exchange->all_to_all(rows, own.view(), rows, pieces.arrived().view(), on.get());
  c.traffic.bytes_sent += own.bytes_to_others(c.ranks->rank());
  pieces.count_own_rows(c.traffic.rows_by_expert);
}

routed_work arrived_work(const context& c, batch_slice slice) {
  const expert_pieces pieces = pieces_of(c, slice);
  routed_work out{.first = pieces.first_arrived_row(), .rows = pieces.arrived_rows(), .starts = {}};
  const auto* starts = reinterpret_cast<const std::int32_t*>(c.arrived_starts.data()) + first_list(c, slice);
  for (int from = 0; from < c.layout.ranks; ++from)
    out.starts.push_back(starts + std::ptrdiff_t{from} * (c.experts_here.count() + 1));
  return out;
}

void bring_back(context& c, batch_slice slice, const stream& on) {
  const expert_pieces pieces = pieces_of(c, slice);
  std::byte* rows = c.at<std::byte>(buffer_id::expert_output);
  const rank_pieces arrived = pieces.arrived();
  c.exchange->all_to_all(rows, arrived.view(), rows, pieces.own().view(), on.get());
  c.traffic.bytes_sent += arrived.bytes_to_others(c.ranks->rank());
}

}  // namespace ess::ESS_CUDA
