#include "ess_core/device/cuda/emulation/clocks.h"

#include <algorithm>
#include <bit>

namespace ess::emulation {
namespace {

template <class Map>
void raise(Map& map, std::uint32_t key, std::uint32_t time) {
  std::uint32_t& known = map[key];
  known = std::max(known, time);
}

template <class F>
void for_each_lane(std::uint32_t lanes, F f) {
  for (; lanes != 0; lanes &= lanes - 1) f(static_cast<std::uint32_t>(std::countr_zero(lanes)));
}

}  // namespace

bool knowledge::covers(thread_id t, std::uint32_t time) const {
  const auto block = blocks_.find(block_of(t));
  if (block != blocks_.end() && time < block->second) return true;
  const auto thread = threads_.find(t);
  return thread != threads_.end() && time < thread->second;
}
void knowledge::learn_thread(thread_id t, std::uint32_t time) { raise(threads_, t, time); }
void knowledge::learn_block(std::uint32_t block, std::uint32_t time) { raise(blocks_, block, time); }
void knowledge::join(const knowledge& other) {
  for (const auto& [block, time] : other.blocks_) raise(blocks_, block, time);
  for (const auto& [thread, time] : other.threads_) raise(threads_, thread, time);
}

clocks::shared_knowledge clocks::join(const shared_knowledge& a, const shared_knowledge& b) {
  if (a == b || b == nullptr) return a;
  if (a == nullptr) return b;
  auto both = std::make_shared<knowledge>(*a);
  both->join(*b);
  return both;
}

void clocks::begin_block(std::uint32_t block, std::size_t threads) {
  block_ = block;
  threads_.assign(threads, {});
}

void clocks::barrier() {
  thread_clock all;
  for (const thread_clock& t : threads_) {
    all.time = std::max(all.time, t.time + 1);
    all.known = join(all.known, t.known);
    all.fenced = join(all.fenced, t.fenced);
    all.heard = join(all.heard, t.heard);
  }
  all.block_known = all.time;
  threads_.assign(threads_.size(), all);
}

void clocks::lanes_meet(std::uint32_t first, std::uint32_t lanes) {
  shared_knowledge known, fenced, heard;
  const auto met = std::make_shared<knowledge>();
  for_each_lane(lanes, [&](std::uint32_t lane) {
    thread_clock& t = threads_[first + lane];
    met->learn_thread(id(first + lane), ++t.time);
    known = join(known, t.known);
    fenced = join(fenced, t.fenced);
    heard = join(heard, t.heard);
  });
  known = join(met, known);
  for_each_lane(lanes, [&](std::uint32_t lane) {
    thread_clock& t = threads_[first + lane];
    t.known = known;
    t.fenced = fenced;
    t.heard = heard;
  });
}

void clocks::fence(std::uint32_t index) {
  thread_clock& t = threads_[index];
  t.known = join(t.known, t.heard);
  t.heard = nullptr;
  const auto own = std::make_shared<knowledge>();
  own->learn_block(block_, t.block_known);
  own->learn_thread(id(index), ++t.time);
  t.fenced = join(own, join(t.known, t.fenced));
}

void clocks::atomic(std::uint32_t index, std::uintptr_t address) {
  thread_clock& t = threads_[index];
  const auto released = released_.find(address);
  if (released != released_.end()) t.heard = join(t.heard, released->second);
  if (t.fenced != nullptr)
    released_[address] = join(released == released_.end() ? nullptr : released->second, t.fenced);
}

bool clocks::knows(std::uint32_t index, thread_id of, std::uint32_t time) const {
  const thread_clock& t = threads_[index];
  if (of == id(index)) return true;
  if (block_of(of) == block_ && time < t.block_known) return true;
  return t.known != nullptr && t.known->covers(of, time);
}

}  // namespace ess::emulation
