#include "ess_core/locality/layer_locality.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ess_core/locality/portable_math.h"

namespace ess {
namespace {

auto refuse(std::string what, std::string hint = {}) {
  return tl::unexpected(trace_error{std::move(what), std::move(hint)});
}

}  // namespace

trace_result<void> check_locality(const stream_locality& stream, std::int32_t top_k) {
  if (stream.sinks < 0) return refuse(fmt::format("sinks is {}, but must be at least 0", stream.sinks));
  if (stream.recent < 2) return refuse(fmt::format("recent is {}, but must be at least 2", stream.recent));
  if (top_k - stream.sinks <= stream.recent) {
    return refuse(fmt::format("top-k is {}, but {} sinks and {} recent rows must leave room in it", top_k,
                              stream.sinks, stream.recent),
                  "raise top-k, or lower sinks or recent");
  }
  if (stream.burst_length < 0 || stream.burst_length >= stream.burst_every) {
    return refuse(fmt::format("burst_length is {}, but must be in [0, {}), below burst_every",
                              stream.burst_length, stream.burst_every));
  }
  if (!(stream.burst_factor >= 1.0) || stream.burst_length * stream.burst_factor > stream.burst_every) {
    return refuse(
        fmt::format("burst_factor is {}, but must be at least 1, and times burst_length {} at most "
                    "burst_every {}",
                    stream.burst_factor, stream.burst_length, stream.burst_every));
  }
  return {};
}

trace_result<void> check_locality(const layer_locality& layer, const stream_locality& stream,
                                  std::int32_t top_k) {
  if (auto fine = check_locality(stream, top_k); !fine) return fine;
  if (!(layer.overlap >= 0.0 && layer.overlap <= 1.0)) {
    return refuse(fmt::format("overlap is {}, but must be in [0, 1]", layer.overlap));
  }
  if (!(layer.steepness > 0.0)) {
    return refuse(fmt::format("steepness is {}, but must be above 0", layer.steepness));
  }
  const double most = (top_k - stream.sinks - stream.recent) / (top_k * stream.burst_factor);
  if (!(layer.scattered >= 0.0 && layer.scattered <= most)) {
    return refuse(fmt::format("scattered is {:.4g}, but must be in [0, {:.4g}]", layer.scattered, most),
                  "so many rows must fit into a selection in a burst, beside sinks and recent rows: lower "
                  "burst_factor");
  }
  return {};
}

double entrants_per_query(double overlap, std::int32_t top_k) {
  return std::max(0.0, (1 - overlap) * top_k - 1);
}

entrant_rates rates_of(const layer_locality& layer, const stream_locality& stream, std::int32_t top_k) {
  const double entrants = entrants_per_query(layer.overlap, top_k);
  const double scattered = std::min(entrants, layer.scattered * top_k);
  const double room = top_k - stream.sinks - stream.recent - scattered * stream.burst_factor;
  const double rest = std::clamp(entrants - scattered, 0.0, std::max(0.0, room));
  if (layer.position_relative) {
    return {.scattered = scattered, .positional = static_cast<std::int32_t>(rest)};
  }
  return {.neighbours = rest, .scattered = scattered};
}

double gap_to_cut(double depth, double top_k, double context) {
  return normal_quantile(depth / context) - normal_quantile(top_k / context);
}

double share_deeper(double gap, double steepness) {
  return portable_exp(-std::min(steepness * gap + 1.5 * gap * gap, 700.0));
}

}  // namespace ess
