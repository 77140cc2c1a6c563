#include "ess_core/device/cpu/kernels/select_topk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ess_core/device/cpu/kernels/select_topk.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <numeric>

// The k-th largest key is found by its bits, from the top: a histogram of 11 bits says in which bucket it
// lies, only the keys of that bucket go on to the next 11 bits, then 10. One more pass over the scores
// collects the ids.

HWY_BEFORE_NAMESPACE();
namespace ess::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<std::uint32_t>;
using V = hn::Vec<D>;

inline constexpr std::uint32_t buckets = 2048;
inline constexpr int tables = 4;  // neighbours often share a bucket: counting in turns breaks the dependency

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

struct boundary {
  std::uint32_t bucket;
  std::int32_t above;  // keys in higher buckets
};

// The bucket of the k-th largest, k from 1.
inline boundary find_bucket(const std::uint32_t* counts, std::int32_t k) {
  std::int32_t above = 0;
  std::uint32_t bucket = buckets - 1;
  while (above + static_cast<std::int32_t>(counts[bucket]) < k)
    above += static_cast<std::int32_t>(counts[bucket--]);
  return {bucket, above};
}

void keys_of(const float* scores, std::int32_t n, std::uint32_t* keys) {
  const D d;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(d));
  const auto* bits = reinterpret_cast<const std::uint32_t*>(scores);
  std::int32_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::Store(key_of(d, hn::LoadU(d, bits + i)), d, keys + i);
  if (i >= n) return;
  alignas(64) std::uint32_t last[HWY_MAX_BYTES / 4] = {};
  std::memcpy(last, scores + i, static_cast<std::size_t>(n - i) * 4);
  hn::Store(key_of(d, hn::Load(d, last)), d, last);
  std::memcpy(keys + i, last, static_cast<std::size_t>(n - i) * 4);
}

void count_top_bits(const std::uint32_t* keys, std::int32_t n, std::uint32_t (*counts)[buckets]) {
  std::int32_t i = 0;
  for (; i + tables <= n; i += tables)
    for (int t = 0; t < tables; ++t) ++counts[t][keys[i + t] >> 21];
  for (; i < n; ++i) ++counts[0][keys[i] >> 21];
  for (std::uint32_t b = 0; b < buckets; ++b) counts[0][b] += counts[1][b] + counts[2][b] + counts[3][b];
}

// Appends the keys with key >> shift == prefix; returns how many. `out` has room for a whole vector more.
std::int32_t keep_bucket(const std::uint32_t* keys, std::int32_t n, int shift, std::uint32_t prefix,
                         std::uint32_t* out) {
  const D d;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(d));
  const V wanted = hn::Set(d, prefix);
  std::int32_t kept = 0;
  std::int32_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const V key = hn::LoadU(d, keys + i);
    const auto same = hn::Eq(hn::ShiftRightSame(key, shift), wanted);
    hn::StoreU(hn::Compress(key, same), d, out + kept);
    kept += static_cast<std::int32_t>(hn::CountTrue(d, same));
  }
  for (; i < n; ++i)
    if (keys[i] >> shift == prefix) out[kept++] = keys[i];
  return kept;
}

struct threshold {
  std::uint32_t key;  // of the k-th largest
  std::int32_t ties;  // how many of the keys equal to it are taken
};

// Narrows by `bits` below `shift`; leaves the survivors at the front of `keys`.
inline void narrow(std::uint32_t* keys, std::int32_t& n, std::int32_t& k, int shift, int bits,
                   std::uint32_t& prefix, std::uint32_t* counts) {
  std::fill_n(counts, buckets, 0u);
  const std::uint32_t mask = (1u << bits) - 1;
  for (std::int32_t i = 0; i < n; ++i) ++counts[keys[i] >> shift & mask];
  const boundary b = find_bucket(counts, k);
  prefix = prefix << bits | b.bucket;
  k -= b.above;
  n = keep_bucket(keys, n, shift, prefix, keys);
}

// In place: a compressed store never reaches beyond the keys already read.
threshold find_threshold(const std::uint32_t* keys, std::int32_t n, std::int32_t k, std::uint32_t* kept) {
  alignas(64) std::uint32_t counts[tables][buckets] = {};
  count_top_bits(keys, n, counts);
  const boundary b = find_bucket(counts[0], k);
  std::uint32_t prefix = b.bucket;
  k -= b.above;
  n = keep_bucket(keys, n, 21, prefix, kept);
  narrow(kept, n, k, 10, 11, prefix, counts[0]);
  narrow(kept, n, k, 0, 10, prefix, counts[0]);
  return {prefix, k};
}

// Ids of all keys above the threshold and of the first `ties` at it.
void collect_ids(const std::uint32_t* keys, std::int32_t n, threshold t, std::int32_t k, std::int32_t* ids) {
  const D d;
  const hn::RebindToSigned<D> di;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(d));
  const V limit = hn::Set(d, t.key);
  std::int32_t taken = 0;
  std::int32_t i = 0;
  for (; i + lanes <= n && taken + lanes <= k; i += lanes) {
    const V key = hn::LoadU(d, keys + i);
    auto take = hn::Gt(key, limit);
    const auto equal = hn::Eq(key, limit);
    if (HWY_UNLIKELY(!hn::AllFalse(d, equal))) {
      const auto found = static_cast<std::int32_t>(hn::CountTrue(d, equal));
      if (found > t.ties) break;
      t.ties -= found;
      take = hn::Or(take, equal);
    }
    hn::StoreU(hn::Compress(hn::Iota(di, i), hn::RebindMask(di, take)), di, ids + taken);
    taken += static_cast<std::int32_t>(hn::CountTrue(d, take));
  }
  for (; i < n && taken < k; ++i) {
    if (keys[i] < t.key || (keys[i] == t.key && t.ties-- <= 0)) continue;
    ids[taken++] = i;
  }
}

void select_topk_simd(const select_topk_params& p) {
  auto* keys = static_cast<std::uint32_t*>(p.scratch);
  std::uint32_t* kept = keys + (p.n + 63) / 64 * 64;
  keys_of(p.scores, p.n, keys);
  collect_ids(keys, p.n, find_threshold(keys, p.n, p.k, kept), p.k, p.ids);
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

// The keys of all scores, and those of one bucket, with room for a vector more.
std::size_t select_topk_scratch_bytes(std::int32_t n) {
  return (static_cast<std::size_t>(n) + 64) * 2 * sizeof(std::uint32_t);
}

}  // namespace ess::cpu
#endif
