// Which rows a request selects in a layer, position by position, where nobody computes scores: from the
// synthetic model of locality (ess_core/locality/synthetic_layer.h).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "ess_core/device/sim/pool_run.h"
#include "ess_core/locality/synthetic_layer.h"

namespace ess::sim {

// What the streams of a model are drawn from. Must have passed check_locality.
struct stream_source {
  stream_locality stream;
  std::vector<layer_locality> layers;  // of the model; layers beyond them (drafts) are like the last
  std::uint64_t seed = 0;

  friend bool operator==(const stream_source&, const stream_source&) = default;
};

class index_stream {
 public:
  index_stream(const stream_source& source, std::int32_t top_k, request_id request, std::int32_t layer);

  // The selections of successive query tokens from `position` on; out: [tokens][top_k]. Positions ascend from
  // call to call, but for drafts: a position at or before the last one means that what came from there on was
  // rejected. A context of up to top-k tokens is selected whole.
  void select(token_id position, std::span<token_id> out);

 private:
  void select_one(token_id position, std::span<token_id> out);

  const stream_source& source_;
  std::size_t top_k_;
  request_id request_;
  std::int32_t layer_;
  std::optional<synthetic_layer> layer_stream_;  // from the first position beyond top-k on
};

// Streams that points of one context and seed have in common: each selection is drawn once and kept. So is
// what the pools of the last point counted: a further point with pools of the same size pays for neither.
class shared_streams {
 public:
  // What the selections follow from, beside request, layer and position.
  struct key {
    stream_source source;
    std::int32_t top_k = 0;
    std::int32_t query_tokens = 1;
    double mean_kept = 1;  // of the draws that say which drafts are rejected
    std::uint64_t seed = 0;
    token_id first_position = 0;

    friend bool operator==(const key&, const key&) = default;
  };
  class cursor;

  explicit shared_streams(key what) : key_(std::move(what)) {}
  // Recordings and cursors refer to it.
  shared_streams(const shared_streams&) = delete;
  shared_streams& operator=(const shared_streams&) = delete;

  [[nodiscard]] const key& what() const { return key_; }
  // Makes room for a stream; not to be called while cursors select.
  [[nodiscard]] std::unique_ptr<cursor> open(request_id request, std::int32_t layer);

 private:
  struct recording {
    explicit recording(index_stream from) : source(std::move(from)) {}
    index_stream source;
    std::vector<token_id> positions;
    std::vector<token_id> ids;  // [steps][query tokens][top_k]
    std::shared_ptr<pool_run> pool;
  };

  const key key_;
  std::map<std::pair<request_id, std::int32_t>, recording> recordings_;
};

// Reads one stream from its beginning. Cursors of different streams may be used at the same time.
class shared_streams::cursor {
 public:
  explicit cursor(recording& of) : of_(of) {}
  // Goes on to a selection of as many ids: index_stream::select. Throws std::logic_error if the streams' key
  // does not say all.
  void select(token_id position, std::size_t ids);
  // The last one: [query tokens][top_k]. Valid until anybody selects from this stream.
  [[nodiscard]] std::span<const token_id> selected() const;
  // Over this stream from its beginning; shared with all who ask for this shape after each other.
  [[nodiscard]] std::shared_ptr<pool_run> pool(const pool_shape& shape);

 private:
  recording& of_;
  std::size_t steps_ = 0;
  std::size_t width_ = 0;  // ids of a step
};

}  // namespace ess::sim
