#include "ess_core/device/cpu/kernels/select_topk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/select_topk.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#ifndef ESS_CPU_KERNELS_SELECT_TOPK_SCRATCH
#define ESS_CPU_KERNELS_SELECT_TOPK_SCRATCH
namespace ess::cpu {
// Words of each of the three parts of the scratch: n, and room for a vector more.
inline std::size_t topk_scratch_part(std::int32_t n) { return (static_cast<std::size_t>(n) + 127) / 64 * 64; }
}  // namespace ess::cpu
#endif

// A sample says above which score the k largest lie, with a margin; one pass over all scores collects those
// candidates, a few more than k; among them the k-th largest is found exactly. If the sample was wrong and
// the candidates are too few, a lower bar is tried, at last none.

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<std::uint32_t>;
using V = hn::Vec<D>;

inline constexpr std::int32_t most_samples = 2048;
inline constexpr std::uint32_t buckets = 1024;

struct topk_scratch {
  std::uint32_t* keys;  // of the candidates
  std::uint32_t* kept;  // of those in one bucket
  std::int32_t* ids;    // of the candidates
};

// An order-preserving key: larger score, larger key; -0 as +0, NaN as -inf.
HWY_INLINE V key_of(D d, V bits) {
  const hn::RebindToSigned<D> di;
  const hn::RebindToFloat<D> df;
  const auto lowest = hn::BitCast(df, hn::Set(d, 0xff800000u));
  const auto score = hn::BitCast(df, bits);
  const auto number = hn::IfThenElse(hn::Eq(score, score), score, lowest);
  const auto plain = hn::BitCast(di, hn::Add(number, hn::Zero(df)));  // -0 + 0 = +0
  return hn::BitCast(
      d, hn::Xor(plain, hn::Or(hn::ShiftRight<31>(plain), hn::BitCast(di, hn::Set(d, 0x80000000u)))));
}

inline float score_of(std::uint32_t key) {
  const std::uint32_t bits = key & 0x80000000u ? key ^ 0x80000000u : ~key;
  float score = 0;
  std::memcpy(&score, &bits, sizeof score);
  return score;
}

// In place; `bits` has room for whole vectors.
inline void make_keys(std::uint32_t* bits, std::int32_t n) {
  const D d;
  for (std::int32_t i = 0; i < n; i += static_cast<std::int32_t>(hn::Lanes(d)))
    hn::StoreU(key_of(d, hn::LoadU(d, bits + i)), d, bits + i);
}

struct key_range {
  std::uint32_t low, high;
};

inline key_range range_of(const std::uint32_t* keys, std::int32_t n) {
  const D d;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(d));
  V low = hn::Set(d, keys[0]), high = low;
  std::int32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    low = hn::Min(low, hn::LoadU(d, keys + i));
    high = hn::Max(high, hn::LoadU(d, keys + i));
  }
  key_range range{hn::GetLane(hn::MinOfLanes(d, low)), hn::GetLane(hn::MaxOfLanes(d, high))};
  for (; i < n; ++i) range = {std::min(range.low, keys[i]), std::max(range.high, keys[i])};
  return range;
}

// Of a range cut into buckets of 2^shift keys: the one of the k-th largest, and how many keys lie above it.
struct boundary {
  std::uint32_t bucket;
  std::int32_t above;
};

inline boundary find_bucket(const std::uint32_t* keys, std::int32_t n, std::int32_t k, std::uint32_t low,
                            int shift) {
  std::int32_t counts[buckets] = {};
  for (std::int32_t i = 0; i < n; ++i) ++counts[(keys[i] - low) >> shift];
  boundary b{buckets - 1, 0};
  for (; b.above + counts[b.bucket] < k; --b.bucket) b.above += counts[b.bucket];
  return b;
}

// Copies the keys of one bucket and returns how many. In place, too: a vector is stored where all has been
// read.
inline std::int32_t keep_bucket(const std::uint32_t* keys, std::int32_t n, std::uint32_t low, int shift,
                                std::uint32_t bucket, std::uint32_t* out) {
  const D d;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(d));
  const V first = hn::Set(d, low), wanted = hn::Set(d, bucket);
  std::int32_t kept = 0;
  std::int32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V key = hn::LoadU(d, keys + i);
    const auto same = hn::Eq(hn::ShiftRightSame(hn::Sub(key, first), shift), wanted);
    hn::StoreU(hn::Compress(key, same), d, out + kept);
    kept += static_cast<std::int32_t>(hn::CountTrue(d, same));
  }
  for (; i < n; ++i)
    if ((keys[i] - low) >> shift == bucket) out[kept++] = keys[i];
  return kept;
}

struct threshold {
  std::uint32_t key;  // of the k-th largest
  std::int32_t ties;  // how many of the keys equal to it are among the k
};

inline threshold threshold_of_few(std::uint32_t* keys, std::int32_t n, std::int32_t k) {
  std::sort(keys, keys + n, std::greater<>());
  const std::uint32_t key = keys[k - 1];
  return {key, k - static_cast<std::int32_t>(std::find(keys, keys + n, key) - keys)};
}

// 1 <= k <= n. `kept` has room for n keys and a vector.
inline threshold find_threshold(const std::uint32_t* keys, std::int32_t n, std::int32_t k,
                                std::uint32_t* kept) {
  constexpr std::int32_t few = 24;
  while (true) {
    const key_range range = range_of(keys, n);
    if (range.low == range.high) return {range.low, k};
    const int shift = std::max(0, static_cast<int>(std::bit_width((range.high - range.low) / buckets)));
    const boundary b = find_bucket(keys, n, k, range.low, shift);
    n = keep_bucket(keys, n, range.low, shift, b.bucket, kept);
    k -= b.above;
    keys = kept;
    if (n <= few) return threshold_of_few(kept, n, k);
  }
}

// Every stride-th score, the stride odd, so that it resonates with nothing that repeats in powers of two.
inline std::int32_t take_sample(const select_topk_params& p, std::uint32_t* keys) {
  const std::int32_t wanted = std::min(most_samples, p.n / 8);
  const std::int32_t stride = (p.n / wanted - 1) | 1;
  for (std::int32_t i = 0; i < wanted; ++i) std::memcpy(keys + i, p.scores + i * std::int64_t{stride}, 4);
  make_keys(keys, wanted);
  return wanted;
}

// Only AVX-512 compresses in one instruction; elsewhere a branch past vectors without a candidate, most of
// them, costs less.
inline constexpr bool skips_empty = HWY_TARGET != HWY_AVX3;

// Ids of the scores >= bar, ascending.
inline std::int32_t collect_candidates(const select_topk_params& p, float bar, std::int32_t* ids) {
  const hn::ScalableTag<float> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(d));
  const auto limit = hn::Set(d, bar);
  auto id = hn::Iota(di, 0);
  const auto step = hn::Set(di, lanes);
  std::int32_t count = 0;
  std::int32_t i = 0;
  for (; i + lanes <= p.n; i += lanes) {
    const auto take = hn::Ge(hn::LoadU(d, p.scores + i), limit);
    if (!skips_empty || !hn::AllFalse(d, take)) {
      hn::StoreU(hn::Compress(id, hn::RebindMask(di, take)), di, ids + count);
      count += static_cast<std::int32_t>(hn::CountTrue(d, take));
    }
    id = hn::Add(id, step);
  }
  for (; i < p.n; ++i)
    if (p.scores[i] >= bar) ids[count++] = i;
  return count;
}

// At least k of them.
inline std::int32_t find_candidates(const select_topk_params& p, const topk_scratch& s) {
  constexpr std::int32_t worth_sampling = 512;
  if (p.n >= worth_sampling) {
    const std::int32_t samples = take_sample(p, s.keys);
    const double expected = static_cast<double>(p.k) * samples / p.n;
    auto rank = static_cast<std::int32_t>(expected + 3.0 * std::sqrt(expected) + 2.0);
    for (; rank < samples; rank = 2 * rank + 8) {
      const threshold bar = find_threshold(s.keys, samples, rank, s.kept);
      const std::int32_t count = collect_candidates(p, score_of(bar.key), s.ids);
      if (count >= p.k) return count;
    }
  }
  std::iota(s.ids, s.ids + p.n, 0);
  return p.n;
}

// The candidates above the threshold and the first `ties` at it.
inline void collect_ids(const topk_scratch& s, std::int32_t n, threshold t, std::int32_t k,
                        std::int32_t* ids) {
  const D d;
  const hn::RebindToSigned<D> di;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(d));
  const V limit = hn::Set(d, t.key);
  std::int32_t taken = 0;
  std::int32_t i = 0;
  for (; i + lanes <= n && taken + lanes <= k; i += lanes) {
    const V key = hn::LoadU(d, s.keys + i);
    const auto found = static_cast<std::int32_t>(hn::CountTrue(d, hn::Eq(key, limit)));
    if (found > t.ties) break;
    t.ties -= found;
    const auto take = hn::Not(hn::Gt(limit, key));
    hn::StoreU(hn::Compress(hn::LoadU(di, s.ids + i), hn::RebindMask(di, take)), di, ids + taken);
    taken += static_cast<std::int32_t>(hn::CountTrue(d, take));
  }
  for (; i < n && taken < k; ++i) {
    if (s.keys[i] < t.key || (s.keys[i] == t.key && t.ties-- <= 0)) continue;
    ids[taken++] = s.ids[i];
  }
}

void select_topk_simd(const select_topk_params& p) {
  topk_scratch s{};
  s.keys = static_cast<std::uint32_t*>(p.scratch);
  s.kept = s.keys + topk_scratch_part(p.n);
  s.ids = reinterpret_cast<std::int32_t*>(s.kept + topk_scratch_part(p.n));
  const std::int32_t count = find_candidates(p, s);
  for (std::int32_t i = 0; i < count; ++i) std::memcpy(s.keys + i, p.scores + s.ids[i], 4);
  make_keys(s.keys, count);
  collect_ids(s, count, find_threshold(s.keys, count, p.k, s.kept), p.k, p.ids);
}

}  // namespace ess::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ess::cpu {
namespace {
HWY_EXPORT(select_topk_simd);
}

void select_topk(const select_topk_params& params) {
  if (params.k <= 0) return;
  if (params.n > params.k) return HWY_DYNAMIC_DISPATCH(select_topk_simd)(params);
  std::iota(params.ids, params.ids + params.n, 0);
  std::fill(params.ids + params.n, params.ids + params.k, -1);
}

std::size_t select_topk_scratch_bytes(std::int32_t n) {
  return 3 * topk_scratch_part(n) * sizeof(std::uint32_t);
}

}  // namespace ess::cpu
#endif
