#include <cmath>
#include <cstring>
#include <limits>

#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/device/cuda/kernels/index_codec.h"
#include "ess_core/device/cuda/kernels/row_codec.h"
#include "ess_core/device/cuda/kernels/tests/batch.h"
#include "ess_core/layout/latent_row.h"
#include "ess_core/layout/rope.h"

namespace ess::ESS_CUDA::test {
namespace {

using cpu::test::random_floats;
using cpu::test::same_bits;
using cuda_codec = on_device;
using bytes = std::vector<std::uint8_t>;

constexpr std::size_t dim = index_dim;
constexpr std::size_t pairs = 32;
constexpr int max_context = 300;

struct tables {
  std::vector<float> cos = std::vector<float>(max_context * pairs), sin = cos;
  device_array<float> device_cos = filled(), device_sin = device_array<float>(sin);

  [[nodiscard]] rotation_table on_device() const { return {device_cos.data(), device_sin.data()}; }
  [[nodiscard]] std::span<const float> cos_of(token_id p) const {
    return std::span(cos).subspan(p * pairs, pairs);
  }
  [[nodiscard]] std::span<const float> sin_of(token_id p) const {
    return std::span(sin).subspan(p * pairs, pairs);
  }

 private:
  device_array<float> filled() {
    const std::vector<double> frequencies = rope_inverse_frequencies({}, 2 * pairs);
    for (token_id p = 0; p < max_context; ++p) {
      rope_cos_sin(frequencies, p, std::span(cos).subspan(p * pairs, pairs),
                   std::span(sin).subspan(p * pairs, pairs));
    }
    return device_array<float>(cos);
  }
};

batch batch_of(std::int32_t queries) { return {seats_at({9, 63, 0, 128, 290}, 320), queries}; }

// The sign of a NaN says nothing.
bytes without_nan_signs(bytes codes) {
  for (std::uint8_t& code : codes) code = code == 0xff ? 0x7f : code;
  return codes;
}

struct index_result {
  bytes codes = bytes(dim);
  float scale = 0;
};

index_result by_layout(std::vector<float> values, const tables& t, token_id position) {
  index_result out;
  rotate_index_vector(values, t.cos_of(position), t.sin_of(position));
  transform_index_vector(values);
  out.scale = quantise_index_vector(values, out.codes);
  return out;
}

// Values of which sums and sums of squares are exact in f32 in any order, and of mean 0: so a norm has one
// result.
std::vector<float> exact_values(std::size_t n, std::uint32_t stream) {
  std::vector<float> values = random_floats(n, stream, 16.0f);
  for (std::size_t i = 0; i < n; ++i) values[i] = i % 2 == 0 ? std::round(values[i]) / 8 : -values[i - 1];
  return values;
}

std::vector<float> by_layer_norm(std::vector<float> x, const std::vector<float>& norm) {
  float squares = 0;
  for (const float value : x) squares += value * value;
  const float factor = 1.0f / std::sqrt(squares / static_cast<float>(dim) + 1e-6f);
  for (std::size_t i = 0; i < dim; ++i) x[i] = std::fma(x[i] * factor, norm[i], norm[dim + i]);
  return x;
}

TEST_F(cuda_codec, index_keys_equal_the_layout_after_the_norm) {
  const tables t;
  const std::vector<float> norm = random_floats(2 * dim, 1);
  const device_array device_norm(norm);
  for (const std::int32_t queries : {1, 3}) {
    const batch b = batch_of(queries);
    const std::size_t pitch = dim + 8;
    std::vector<float> raw;
    for (std::int32_t lane = b.first_lane(); lane < b.end_lane(); ++lane) {
      const auto values = exact_values(dim, static_cast<std::uint32_t>(lane) + 2);
      raw.insert(raw.end(), values.begin(), values.end());
    }
    const device_array device_raw(spread(raw, dim, pitch));
    const device_array<std::uint8_t> keys(static_cast<std::size_t>(b.lanes()) * index_key_bytes);
    check(index_keys({.lanes = b.slice(),
                      .rotation = t.on_device(),
                      .raw = device_raw.data(),
                      .raw_pitch = pitch,
                      .norm = device_norm.data(),
                      .keys = keys.data()},
                     nullptr));
    for (std::int32_t lane = 0; lane < b.lanes(); ++lane) {
      const bytes got = part_of(keys.values(), index_key_bytes, static_cast<std::size_t>(lane));
      if (!b.in_slice(lane)) {
        EXPECT_TRUE(is_untouched(got));
        continue;
      }
      const auto x = part_of(raw, dim, static_cast<std::size_t>(lane - b.first_lane()));
      const index_result want = by_layout(by_layer_norm(x, norm), t, b.position_of(lane));
      EXPECT_EQ(bytes(got.begin(), got.begin() + dim), want.codes) << lane;
      EXPECT_EQ(std::memcmp(&want.scale, got.data() + dim, 4), 0);
    }
  }
}

// Of many sizes; some vectors hold a special value.
std::vector<float> query_values(std::size_t heads, std::int32_t lane) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  constexpr float special[] = {0.0f, -0.0f, inf, -inf, NAN, 1e-40f, 3e38f};
  std::vector<float> values;
  for (std::size_t head = 0; head < heads; ++head) {
    const auto stream = static_cast<std::uint32_t>(static_cast<std::size_t>(lane) * heads + head);
    auto v = random_floats(dim, stream, std::ldexp(1.0f, static_cast<int>(stream % 60) - 40));
    if (stream % 3 == 1) v[stream % dim] = special[stream % 7];
    if (stream % 11 == 1) std::ranges::fill(v, special[stream % 7]);
    values.insert(values.end(), v.begin(), v.end());
  }
  return values;
}

void expect_index_queries(const tables& t, std::int32_t queries, int heads) {
  const batch b = batch_of(queries);
  const std::size_t h = static_cast<std::size_t>(heads), width = h * dim, pitch = width + 4;
  std::vector<float> raw;
  for (std::int32_t lane = b.first_lane(); lane < b.end_lane(); ++lane) {
    const auto values = query_values(h, lane);
    raw.insert(raw.end(), values.begin(), values.end());
  }
  const std::vector<float> weight = random_floats(h * static_cast<std::size_t>(b.lanes()), 5);
  const device_array device_raw(spread(raw, width, pitch)), device_weight(weight);
  const device_array<std::uint8_t> codes(static_cast<std::size_t>(b.lanes()) * width);
  check(index_queries({.lanes = b.slice(),
                       .rotation = t.on_device(),
                       .heads = heads,
                       .raw = device_raw.data(),
                       .raw_pitch = static_cast<std::int64_t>(pitch),
                       .queries = codes.data(),
                       .weight = device_weight.data()},
                      nullptr));
  const bytes got = codes.values();
  const std::vector<float> weights = device_weight.values();
  const auto constant = static_cast<float>(1.0 / std::sqrt(heads * 128.0));
  for (std::int32_t lane = 0; lane < b.lanes(); ++lane) {
    for (std::size_t at = static_cast<std::size_t>(lane) * h; at < (static_cast<std::size_t>(lane) + 1) * h;
         ++at) {
      if (!b.in_slice(lane)) {
        EXPECT_TRUE(is_untouched(part_of(got, dim, at)));
        EXPECT_EQ(weights[at], weight[at]);
        continue;
      }
      const auto x = part_of(raw, dim, at - static_cast<std::size_t>(b.first_lane()) * h);
      const index_result want = by_layout(x, t, b.position_of(lane));
      ASSERT_EQ(without_nan_signs(part_of(got, dim, at)), without_nan_signs(want.codes)) << at;
      ASSERT_EQ(weights[at], weight[at] * (want.scale * constant));
    }
  }
}

TEST_F(cuda_codec, index_queries_equal_the_layout) {
  const tables t;
  for (const std::int32_t queries : {1, 2, 4}) {
    for (const int heads : {4, 12, 64}) expect_index_queries(t, queries, heads);
  }
}

TEST_F(cuda_codec, appended_keys_lie_in_the_pages_of_their_seats) {
  const index_page_format format;
  for (const std::int32_t queries : {1, 4}) {
    const batch b = batch_of(queries);
    const bytes keys = cpu::test::random_codes(static_cast<std::size_t>(b.lanes()) * index_key_bytes, 3);
    const device_array device_keys(keys);
    const device_array<std::uint8_t> pages(static_cast<std::size_t>(format.bytes_for(5 * 320)));
    check(append_keys({.lanes = b.slice(), .keys = device_keys.data(), .pages = pages.data()}, nullptr));
    bytes want(pages.size(), 0xff);
    for (std::int32_t lane = b.first_lane(); lane < b.end_lane(); ++lane) {
      const bytes key = part_of(keys, index_key_bytes, static_cast<std::size_t>(lane));
      float scale = 0;
      std::memcpy(&scale, key.data() + dim, 4);
      pack_index_key(std::span(key).first(dim), scale, b.seat_of(lane).index_base + b.position_of(lane),
                     want);
    }
    EXPECT_EQ(pages.values(), want);
  }
}

void expect_latent_rows(const tables& t, std::int32_t queries, int kv_lora) {
  const batch b = batch_of(queries);
  const std::size_t n = static_cast<std::size_t>(kv_lora), rope = 2 * pairs, width = n + rope;
  const latent_row_format format{.kv_lora = kv_lora, .rope = rope};
  std::vector<float> raw;
  for (std::int32_t lane = b.first_lane(); lane < b.end_lane(); ++lane) {
    for (const auto& part : {exact_values(n, static_cast<std::uint32_t>(lane)), random_floats(rope, 99)}) {
      raw.insert(raw.end(), part.begin(), part.end());
    }
  }
  const device_array device_raw(spread(raw, width, width + 4));
  const std::size_t row_bytes = static_cast<std::size_t>(format.bytes());
  const device_array<std::uint8_t> rows(static_cast<std::size_t>(b.lanes()) * row_bytes);
  check(latent_rows({.lanes = b.slice(),
                     .rotation = t.on_device(),
                     .kv_lora = kv_lora,
                     .rope = rope,
                     .raw = device_raw.data(),
                     .raw_pitch = static_cast<std::int64_t>(width + 4),
                     .rows = rows.data(),
                     .row_bytes = format.bytes()},
                    nullptr));
  for (std::int32_t lane = 0; lane < b.lanes(); ++lane) {
    const bytes got = part_of(rows.values(), row_bytes, static_cast<std::size_t>(lane));
    if (!b.in_slice(lane)) {
      EXPECT_TRUE(is_untouched(got));
      continue;
    }
    std::vector<float> x = part_of(raw, width, static_cast<std::size_t>(lane - b.first_lane()));
    float squares = 0;
    for (std::size_t i = 0; i < n; ++i) squares += x[i] * x[i];
    const float factor = 1.0f / std::sqrt(squares / static_cast<float>(n) + 1e-6f);
    for (std::size_t i = 0; i < n; ++i) x[i] *= factor;
    const token_id position = b.position_of(lane);
    rotate_interleaved(std::span(x).subspan(n), t.cos_of(position), t.sin_of(position));
    bytes want(row_bytes);
    pack_latent_row(std::span(x).first(n), std::span(x).subspan(n), want);
    EXPECT_EQ(got, want) << lane;
  }
}

TEST_F(cuda_codec, latent_rows_equal_the_layout_after_the_norm) {
  const tables t;
  for (const std::int32_t queries : {1, 2}) {
    for (const int kv_lora : {128, 512, 640}) expect_latent_rows(t, queries, kv_lora);
  }
}

TEST_F(cuda_codec, the_rotary_part_of_queries_is_rotated_and_nothing_else_written) {
  const tables t;
  constexpr std::size_t heads = 9, nope = 30, kv_lora = 6, rope = 2 * pairs, width = heads * (nope + rope);
  const batch b = batch_of(2);
  const std::size_t lanes = static_cast<std::size_t>(b.seat_count) * 2;
  const std::vector<float> projected = random_floats(lanes * width, 6);
  const device_array from(spread(projected, width, width + 2));
  const device_array<float> query(static_cast<std::size_t>(b.lanes()) * heads * (kv_lora + rope));
  check(rotate_query({.lanes = b.slice(),
                      .rotation = t.on_device(),
                      .heads = heads,
                      .nope = nope,
                      .kv_lora = kv_lora,
                      .rope = rope,
                      .projected = from.data(),
                      .pitch = width + 2,
                      .query = query.data()},
                     nullptr));
  const std::vector<float> got = query.values();
  for (std::size_t at = 0; at < static_cast<std::size_t>(b.lanes()) * heads; ++at) {
    const auto lane = static_cast<std::int32_t>(at / heads);
    std::vector<float> head = part_of(got, kv_lora + rope, at);
    EXPECT_TRUE(is_untouched(std::vector<float>(head.begin(), head.begin() + kv_lora)));
    head.erase(head.begin(), head.begin() + kv_lora);
    if (!b.in_slice(lane)) {
      EXPECT_TRUE(is_untouched(head));
      continue;
    }
    std::vector<float> want =
        part_of(projected, nope + rope, at - static_cast<std::size_t>(b.first_lane()) * heads);
    want.erase(want.begin(), want.begin() + nope);
    rotate_interleaved(want, t.cos_of(b.position_of(lane)), t.sin_of(b.position_of(lane)));
    EXPECT_TRUE(same_bits(head, want)) << at;
  }
}

}  // namespace
}  // namespace ess::ESS_CUDA::test
