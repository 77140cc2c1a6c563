#include "ess_core/device/cuda/emulation/warp.h"

#include <algorithm>

#include "ess_core/device/cuda/emulation/checker_hooks.h"

namespace ess::emulation {
namespace {

warp& warp_of(block_thread& t) { return t.home->warps[t.index / 32]; }
block_thread* first_lane(block_thread& t) { return &t.home->threads[t.index / 32 * 32]; }

warp_meeting& find_meeting(warp& w, const warp_operation& operation, std::uint32_t mask, call_site at) {
  for (int i = 0; i < w.meetings; ++i) {
    if (w.meeting[static_cast<std::size_t>(i)].mask == mask) return w.meeting[static_cast<std::size_t>(i)];
  }
  return w.meeting[static_cast<std::size_t>(w.meetings++)] = {mask, 0, &operation, at};
}

// `self` goes on running and is not made ready; null if it exits.
void finish(warp& w, warp_meeting& m, block_thread* first, const block_thread* self) {
  const warp_lanes lanes{first, m.arrived};
  const warp_operation& operation = *m.operation;
  m = w.meeting[static_cast<std::size_t>(--w.meetings)];
  first->home->idle_yields = 0;
  operation.finish(lanes);
  lanes.for_each([&](std::uint32_t lane) {
    if (&first[lane] != self) make_ready(first[lane]);
  });
}

bool is_complete(const warp& w, const warp_meeting& m) { return (m.mask & w.alive & ~m.arrived) == 0; }

[[noreturn]] void fail_at_call(block_thread& t, const char* name, call_site at, const std::string& why) {
  fail(t, cudaErrorLaunchFailure, std::string(name) + " at " + to_string(at) + ": " + why);
}

struct shuffle_request {
  std::uint64_t value;
  std::uint32_t from;
  call_site at;
};

void finish_shuffle(const warp_lanes& lanes) {
  std::array<std::uint64_t, 32> values;
  lanes.for_each([&](std::uint32_t lane) { values[lane] = lanes.request<shuffle_request>(lane).value; });
  lanes.for_each([&](std::uint32_t lane) {
    auto& r = lanes.request<shuffle_request>(lane);
    if (!lanes.has(r.from)) {
      fail_at_call(
          lanes.first[lane], "__shfl_sync", r.at,
          "it reads lane " + std::to_string(r.from) + ", which takes no part (mask " + hex(lanes.came) + ")");
    }
    r.value = values[r.from];
  });
}
constexpr warp_operation shuffle_operation{"__shfl_sync", finish_shuffle};

void finish_sync(const warp_lanes& lanes) {
  if (checker != nullptr) checker->lanes_meet(lanes.first, lanes.came);
}
constexpr warp_operation sync_operation{"__syncwarp", finish_sync};

struct vote_request {
  std::int64_t value;
  std::uint64_t result;
};

// All lanes get what one fold of their values gives.
template <class Fold>
void finish_fold(const warp_lanes& lanes, Fold fold) {
  const auto first = static_cast<std::uint32_t>(std::countr_zero(lanes.came));
  std::int64_t all = lanes.request<vote_request>(first).value;
  lanes.for_each([&](std::uint32_t lane) {
    if (lane != first) all = fold(all, lanes.request<vote_request>(lane).value);
  });
  lanes.for_each([&](std::uint32_t lane) {
    lanes.request<vote_request>(lane).result = static_cast<std::uint64_t>(all);
  });
}

std::uint32_t lanes_with(const warp_lanes& lanes, std::int64_t value) {
  std::uint32_t with = 0;
  lanes.for_each([&](std::uint32_t lane) {
    if (lanes.request<vote_request>(lane).value == value) with |= 1u << lane;
  });
  return with;
}

void finish_ballot(const warp_lanes& lanes) {
  const std::uint32_t ballot = lanes.came & ~lanes_with(lanes, 0);
  lanes.for_each([&](std::uint32_t lane) { lanes.request<vote_request>(lane).result = ballot; });
}
void finish_match_any(const warp_lanes& lanes) {
  lanes.for_each([&](std::uint32_t lane) {
    auto& r = lanes.request<vote_request>(lane);
    r.result = lanes_with(lanes, r.value);
  });
}
void finish_match_all(const warp_lanes& lanes) {
  const auto first = static_cast<std::uint32_t>(std::countr_zero(lanes.came));
  const bool same = lanes_with(lanes, lanes.request<vote_request>(first).value) == lanes.came;
  lanes.for_each(
      [&](std::uint32_t lane) { lanes.request<vote_request>(lane).result = same ? lanes.came : 0; });
}

using value = std::int64_t;
// In the order of vote_kind.
constexpr warp_operation votes[] = {
    {"__ballot_sync", finish_ballot},
    {"__any_sync",
     [](const warp_lanes& l) { finish_fold(l, [](value a, value b) -> value { return a | b; }); }},
    {"__all_sync",
     [](const warp_lanes& l) { finish_fold(l, [](value a, value b) -> value { return a & b; }); }},
    {"__match_any_sync", finish_match_any},
    {"__match_all_sync", finish_match_all},
    {"__reduce_add_sync",
     [](const warp_lanes& l) { finish_fold(l, [](value a, value b) { return a + b; }); }},
    {"__reduce_min_sync",
     [](const warp_lanes& l) { finish_fold(l, [](value a, value b) { return std::min(a, b); }); }},
    {"__reduce_max_sync",
     [](const warp_lanes& l) { finish_fold(l, [](value a, value b) { return std::max(a, b); }); }},
    {"__reduce_and_sync",
     [](const warp_lanes& l) { finish_fold(l, [](value a, value b) { return a & b; }); }},
    {"__reduce_or_sync", [](const warp_lanes& l) { finish_fold(l, [](value a, value b) { return a | b; }); }},
    {"__reduce_xor_sync",
     [](const warp_lanes& l) { finish_fold(l, [](value a, value b) { return a ^ b; }); }},
};

}  // namespace

void meet(const warp_operation& operation, std::uint32_t mask, void* request, call_site at) {
  block_thread& t = running_thread(operation.name, at);
  warp& w = warp_of(t);
  const std::uint32_t self = 1u << t.lane;
  if ((mask & self) == 0)
    fail_at_call(t, operation.name, at, "mask " + hex(mask) + " lacks the calling lane");
  warp_meeting& m = find_meeting(w, operation, mask, at);
  if (m.operation != &operation) {
    fail_at_call(t, operation.name, at,
                 std::string("another lane is at ") + m.operation->name + " at " + to_string(m.at));
  }
  m.arrived |= self;
  t.request = request;
  if (is_complete(w, m)) {
    finish(w, m, first_lane(t), &t);
  } else {
    t.state = thread_state::in_warp;
    t.waits_at = at;
    t.waits_for = mask;
    suspend(t);
  }
}

void leave_warp(block_thread& t) {
  warp& w = warp_of(t);
  w.alive &= ~(1u << t.lane);
  for (int i = w.meetings - 1; i >= 0; --i) {
    warp_meeting& m = w.meeting[static_cast<std::size_t>(i)];
    if (is_complete(w, m)) finish(w, m, first_lane(t), nullptr);
  }
}

void sync_warp(std::uint32_t mask, call_site at) {
  if (!is_dropped(at)) meet(sync_operation, mask, nullptr, at);
}

std::uint64_t shuffle(std::uint32_t mask, std::uint64_t value, std::uint32_t from_lane, call_site at) {
  shuffle_request r{value, from_lane & 31, at};
  meet(shuffle_operation, mask, &r, at);
  return r.value;
}

std::uint64_t vote(vote_kind kind, std::uint32_t mask, std::int64_t value, call_site at) {
  vote_request r{value, 0};
  meet(votes[static_cast<std::size_t>(kind)], mask, &r, at);
  return r.result;
}

std::uint32_t active_lanes() { return warp_of(*running_thread()).alive; }

}  // namespace ess::emulation
