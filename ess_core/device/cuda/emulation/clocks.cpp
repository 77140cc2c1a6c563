#include "ess_core/device/cuda/emulation/clocks.h"

#include <algorithm>
#include <iterator>

namespace ess::emulation {

std::uint32_t known_times::of(std::uint32_t who) const {
  const auto found = std::lower_bound(times_.begin(), times_.end(), std::pair(who, std::uint32_t{0}));
  return found != times_.end() && found->first == who ? found->second : 0;
}

void known_times::raise(std::uint32_t who, std::uint32_t time) {
  const auto found = std::lower_bound(times_.begin(), times_.end(), std::pair(who, std::uint32_t{0}));
  if (found != times_.end() && found->first == who) {
    found->second = std::max(found->second, time);
  } else {
    times_.insert(found, {who, time});
  }
}

void known_times::join(const known_times& other) {
  if (other.times_.size() <= 2) {
    for (const auto& [who, time] : other.times_) raise(who, time);
    return;
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> both;
  both.reserve(times_.size() + other.times_.size());
  std::merge(times_.begin(), times_.end(), other.times_.begin(), other.times_.end(),
             std::back_inserter(both));
  std::size_t n = 0;  // of a pair of equals the later one counts
  for (const auto& each : both) {
    if (n != 0 && both[n - 1].first == each.first) --n;
    both[n++] = each;
  }
  both.resize(n);
  times_ = std::move(both);
}

void known_times::forget(std::uint32_t begin, std::uint32_t end, std::uint32_t time) {
  std::erase_if(times_, [&](const auto& each) {
    return each.first >= begin && each.first < end && each.second <= time;
  });
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

clocks::shared_knowledge clocks::join_all(shared_knowledge thread_clock::*part, std::uint32_t first,
                                          std::uint32_t count, std::uint32_t lanes) const {
  shared_knowledge all;
  std::shared_ptr<knowledge> own;  // all, once it is a copy
  const shared_knowledge* last = nullptr;
  for (std::uint32_t i = 0; i < count; ++i) {
    const shared_knowledge& each = threads_[first + i].*part;
    if ((count <= 32 && (lanes >> i & 1) == 0) || each == nullptr || (last != nullptr && each == *last))
      continue;
    last = &each;
    if (all == nullptr) {
      all = each;
    } else if (all != each) {
      if (own == nullptr) all = own = std::make_shared<knowledge>(*all);
      own->join(*each);
    }
  }
  return all;
}

// After a barrier: what all of the block's threads fenced, said of the block.
clocks::shared_knowledge clocks::as_block(const shared_knowledge& fenced) const {
  if (fenced == nullptr) return nullptr;
  std::uint32_t time = ~0u;
  for (std::uint32_t i = 0; i < threads_.size(); ++i) time = std::min(time, fenced->threads.of(id(i)));
  if (time <= fenced->blocks.of(block_)) return fenced;
  auto of_block = std::make_shared<knowledge>(*fenced);
  of_block->blocks.raise(block_, time);
  of_block->threads.forget(id(0), id(threads_a_block), time);
  return of_block;
}

void clocks::barrier() {
  const auto count = static_cast<std::uint32_t>(threads_.size());
  thread_clock all;
  for (const thread_clock& t : threads_) all.time = std::max(all.time, t.time + 1);
  all.block_known = all.time;
  all.known = join_all(&thread_clock::known, 0, count, ~0u);
  all.fenced = as_block(join_all(&thread_clock::fenced, 0, count, ~0u));
  all.heard = join_all(&thread_clock::heard, 0, count, ~0u);
  threads_.assign(threads_.size(), all);
}

void clocks::lanes_meet(std::uint32_t first, std::uint32_t lanes) {
  const auto count = std::min(32u, static_cast<std::uint32_t>(threads_.size()) - first);
  const auto met = std::make_shared<knowledge>();
  for (std::uint32_t i = 0; i < count; ++i) {
    if ((lanes >> i & 1) != 0) met->threads.raise(id(first + i), ++threads_[first + i].time);
  }
  const auto known = join(met, join_all(&thread_clock::known, first, count, lanes));
  const auto fenced = join_all(&thread_clock::fenced, first, count, lanes);
  const auto heard = join_all(&thread_clock::heard, first, count, lanes);
  for (std::uint32_t i = 0; i < count; ++i) {
    if ((lanes >> i & 1) == 0) continue;
    threads_[first + i].known = known;
    threads_[first + i].fenced = fenced;
    threads_[first + i].heard = heard;
  }
}

void clocks::fence(std::uint32_t index) {
  thread_clock& t = threads_[index];
  t.known = join(t.known, t.heard);
  t.heard = nullptr;
  const auto own = std::make_shared<knowledge>();
  own->blocks.raise(block_, t.block_known);
  own->threads.raise(id(index), ++t.time);
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
