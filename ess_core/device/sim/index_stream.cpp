#include "ess_core/device/sim/index_stream.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace ess::sim {
namespace {

// Philox keys differ in every bit of what they count.
std::uint64_t seed_of(std::uint64_t seed, request_id request) {
  return seed + (static_cast<std::uint64_t>(request) + 1) * 0x9e37'79b9'7f4a'7c15u;
}

}  // namespace

index_stream::index_stream(const stream_source& source, std::int32_t top_k, request_id request,
                           std::int32_t layer)
    : source_(source), top_k_(static_cast<std::size_t>(top_k)), request_(request), layer_(layer) {}

void index_stream::select(token_id position, std::span<token_id> out) {
  if (static_cast<std::size_t>(position) < top_k_)
    layer_stream_.reset();  // drafts have begun it: it begins anew
  if (layer_stream_ && position < layer_stream_->tokens())
    layer_stream_->retract(layer_stream_->tokens() - position);
  for (std::size_t query = 0; query * top_k_ < out.size(); ++query)
    select_one(position + static_cast<token_id>(query), out.subspan(query * top_k_, top_k_));
}

void index_stream::select_one(token_id position, std::span<token_id> out) {
  const auto tokens = static_cast<std::size_t>(position) + 1;
  if (tokens <= top_k_) {
    std::iota(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(tokens), 0);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(tokens), out.end(), -1);
    return;
  }
  if (!layer_stream_) {
    const auto at = std::min(static_cast<std::size_t>(layer_), source_.layers.size() - 1);
    layer_stream_.emplace(source_.layers[at], source_.stream, static_cast<std::int32_t>(top_k_), position,
                          seed_of(source_.seed, request_), layer_);
  }
  layer_stream_->next(out);
}

std::unique_ptr<shared_streams::cursor> shared_streams::open(request_id request, std::int32_t layer) {
  const std::pair place(request, layer);
  auto found = recordings_.find(place);
  if (found == recordings_.end()) {
    found =
        recordings_.emplace(place, recording(index_stream(key_.source, key_.top_k, request, layer))).first;
  }
  return std::make_unique<cursor>(found->second);
}

void shared_streams::cursor::select(token_id position, std::size_t ids) {
  width_ = ids;
  if (steps_ == of_.positions.size()) {
    of_.positions.push_back(position);
    of_.ids.resize(of_.ids.size() + ids);
    of_.source.select(position, std::span(of_.ids).last(ids));
  }
  if (of_.positions[steps_++] != position)
    throw std::logic_error("a stream was recorded for other positions than are asked for");
}

std::span<const token_id> shared_streams::cursor::selected() const {
  return std::span(of_.ids).subspan((steps_ - 1) * width_, width_);
}

std::shared_ptr<pool_run> shared_streams::cursor::pool(const pool_shape& shape) {
  if (of_.pool == nullptr || of_.pool->shape() != shape) of_.pool = std::make_shared<pool_run>(shape);
  return of_.pool;
}

}  // namespace ess::sim
