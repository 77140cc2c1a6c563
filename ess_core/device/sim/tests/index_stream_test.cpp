#include "ess_core/device/sim/index_stream.h"

#include <algorithm>
#include <random>
#include <stdexcept>

#include "ess_core/device/sim/tests/small_streams.h"

namespace ess::sim {
namespace {

using test::small_streams;
using ids = std::vector<token_id>;

constexpr std::int32_t top_k = 32;

ids select(index_stream& stream, token_id position, std::int32_t queries = 1) {
  ids out(static_cast<std::size_t>(queries * top_k), -2);
  stream.select(position, out);
  return out;
}

ids select(shared_streams::cursor& reader, token_id position, std::int32_t queries = 1) {
  reader.select(position, static_cast<std::size_t>(queries * top_k));
  return {reader.selected().begin(), reader.selected().end()};
}

// Without padding, which must be at the end.
std::span<const token_id> without_padding(std::span<const token_id> selected) {
  const auto end = std::ranges::find(selected, -1);
  EXPECT_EQ(std::ranges::count(end, selected.end(), -1), selected.end() - end);
  return {selected.begin(), end};
}

// At most `lacking` rows fewer than there should be.
void expect_selection(std::span<const token_id> selected, token_id position, std::int32_t lacking) {
  const auto found = without_padding(selected);
  const auto full = static_cast<std::size_t>(std::min(position + 1, top_k));
  EXPECT_GE(found.size() + static_cast<std::size_t>(lacking), full) << position;
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.back(), position);  // its own, and none beyond
  EXPECT_GE(found.front(), 0);
  EXPECT_EQ(std::ranges::adjacent_find(found, std::greater_equal<>()), found.end()) << position;
}

TEST(index_stream, a_short_context_is_selected_whole) {
  const stream_source source = small_streams();
  for (std::int32_t layer = 0; layer < 3; ++layer) {
    index_stream stream(source, top_k, 5, layer);
    for (token_id position = 0; position < 3 * top_k; ++position) {
      const ids selected = select(stream, position);
      expect_selection(selected, position, 0);
    }
  }
}

TEST(index_stream, a_stream_may_begin_anywhere_and_answers_several_query_tokens) {
  const stream_source source = small_streams();
  index_stream one(source, top_k, 5, 1), three(source, top_k, 5, 1);
  for (token_id position = 200; position < 500; position += 3) {
    const ids together = select(three, position, 3);
    for (token_id query = 0; query < 3; ++query) {
      const auto part = std::span(together).subspan(static_cast<std::size_t>(query * top_k), top_k);
      EXPECT_TRUE(std::ranges::equal(part, select(one, position + query)));
      expect_selection(part, position + query, 0);
    }
  }
}

// Drafts are rejected now and then: positions go back. With few recent rows rejected ones reach as far back
// as rows that may leave; near top-k they began the stream.
TEST(index_stream, rejected_drafts_leave_nothing_of_the_future_and_nothing_twice) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    stream_source source = small_streams();
    source.stream.recent = 2 + static_cast<std::int32_t>(seed % 4);
    source.seed = seed;
    const auto queries = static_cast<std::int32_t>(2 + seed % 3);
    index_stream stream(source, top_k, 0, static_cast<std::int32_t>(rng() % 3));
    for (auto position = static_cast<token_id>(20 + rng() % 15); position < 600;) {
      const ids selected = select(stream, position, queries);
      for (token_id query = 0; query < queries; ++query) {
        const auto part = std::span(selected).subspan(static_cast<std::size_t>(query * top_k), top_k);
        // Of the drafts rejected so far only the last step's can leave a gap.
        expect_selection(part, position + query, queries - 1);
      }
      position += 1 + static_cast<token_id>(rng() % static_cast<unsigned>(queries));
    }
  }
}

TEST(index_stream, follows_from_seed_request_and_layer_alone) {
  stream_source source = small_streams();
  source.layers[2] = source.layers[1];
  const auto at = [&](request_id request, std::int32_t layer, std::uint64_t seed) {
    source.seed = seed;
    index_stream stream(source, top_k, request, layer);
    ids all;
    for (token_id position = 300; position < 330; ++position) {
      const ids one = select(stream, position);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  };
  EXPECT_EQ(at(1, 1, 7), at(1, 1, 7));
  EXPECT_NE(at(1, 1, 7), at(2, 1, 7));
  EXPECT_NE(at(1, 1, 7), at(1, 2, 7));
  EXPECT_NE(at(1, 1, 7), at(1, 1, 8));
  EXPECT_NE(at(1, 2, 7), at(1, 3, 7));  // a draft layer is like the last, and yet another
}

std::vector<token_id> positions_with_rejections() {
  std::vector<token_id> out;
  for (token_id position = 100; position < 200; position += 1 + position % 2) out.push_back(position);
  return out;
}

// Two readers at their own pace.
TEST(shared_streams, give_every_reader_what_a_stream_of_its_own_would) {
  const stream_source source = small_streams();
  shared_streams shared({.source = source, .top_k = top_k, .query_tokens = 2, .first_position = 100});
  const auto positions = positions_with_rejections();
  for (std::int32_t layer = 0; layer < 4; ++layer) {
    index_stream own(source, top_k, 3, layer);
    const auto ahead = shared.open(3, layer);
    const auto behind = shared.open(3, layer);
    std::vector<ids> want;
    for (const token_id position : positions) {
      want.push_back(select(own, position, 2));
      EXPECT_EQ(select(*ahead, position, 2), want.back());
      if (want.size() % 2 == 0) {
        const std::size_t step = want.size() / 2 - 1;
        EXPECT_EQ(select(*behind, positions[step], 2), want[step]);
      }
    }
    const auto late = shared.open(3, layer);
    for (std::size_t step = 0; step < positions.size(); ++step)
      EXPECT_EQ(select(*late, positions[step], 2), want[step]);
  }
}

TEST(shared_streams, requests_and_layers_do_not_mix) {
  const stream_source source = small_streams();
  shared_streams shared({.source = source, .top_k = top_k, .first_position = 100});
  const auto one = shared.open(3, 1), other = shared.open(4, 1), deeper = shared.open(3, 2);
  index_stream own_one(source, top_k, 3, 1), own_other(source, top_k, 4, 1), own_deeper(source, top_k, 3, 2);
  for (token_id position = 100; position < 120; ++position) {
    EXPECT_EQ(select(*one, position), select(own_one, position));
    EXPECT_EQ(select(*other, position), select(own_other, position));
    EXPECT_EQ(select(*deeper, position), select(own_deeper, position));
  }
}

TEST(shared_streams, refuse_a_reader_at_other_positions) {
  shared_streams shared({.source = small_streams(), .top_k = top_k, .first_position = 100});
  (void)select(*shared.open(0, 1), 100);
  EXPECT_THROW((void)select(*shared.open(0, 1), 101), std::logic_error);
}

TEST(shared_streams, keys_say_all_that_streams_follow_from) {
  const shared_streams::key key{.source = small_streams(), .top_k = top_k, .first_position = 100};
  const shared_streams shared(key);
  EXPECT_EQ(shared.what(), key);
  shared_streams::key other = key;
  other.source.layers[1].overlap += 0.01;
  EXPECT_NE(shared.what(), other);
  other = key;
  other.first_position = 99;
  EXPECT_NE(shared.what(), other);
  other = key;
  other.mean_kept = 1.5;
  EXPECT_NE(shared.what(), other);
}

}  // namespace
}  // namespace ess::sim
