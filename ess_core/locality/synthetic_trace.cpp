#include "ess_core/locality/synthetic_trace.h"

#include <fmt/format.h>

#include "ess_core/locality/synthetic_layer.h"

namespace ess {
namespace {

trace_shape shape_of(const synthetic_request& request) {
  const std::int32_t before = lead_in_steps(request);
  return {.steps = before + request.steps,
          .layers = static_cast<std::int32_t>(request.layers.size()),
          .top_k = request.top_k,
          .first_token = request.context - before};
}

auto refuse(std::string what, std::string hint = {}) {
  return tl::unexpected(trace_error{std::move(what), std::move(hint)});
}

trace_result<void> check_sizes(const synthetic_request& request) {
  const std::int64_t shortest = lead_in_steps(request.top_k, request.context);
  if (request.context < shortest) {
    return refuse(
        fmt::format("the context is {} tokens, but must be at least {}", request.context, shortest));
  }
  // entrant_depths multiplies a number of rows, in units of 2^-32, by one of tokens.
  if (std::int64_t{request.top_k} * request.context > std::int64_t{1} << 38) {
    return refuse(fmt::format("top-k {} times a context of {} tokens is more than 2^38", request.top_k,
                              request.context));
  }
  return check_shape(shape_of(request));
}

trace_result<void> check(const synthetic_request& request) {
  if (request.steps < 1) return refuse(fmt::format("{} steps, but there must be at least 1", request.steps));
  if (auto fine = check_locality(request.stream, request.top_k); !fine) return fine;
  for (std::size_t i = 0; i < request.layers.size(); ++i) {
    auto fine = check_locality(request.layers[i], request.stream, request.top_k);
    if (fine) continue;
    const auto number = static_cast<std::size_t>(request.first_layer) + i;
    return refuse(fmt::format("layer {}: {}", number, fine.error().what), fine.error().hint);
  }
  return check_sizes(request);
}

}  // namespace

std::int32_t lead_in_steps(const synthetic_request& request) {
  return request.start == lead_in::none ? 0 : lead_in_steps(request.top_k, request.context);
}

trace_result<index_trace> synthesize(const synthetic_request& request) {
  if (auto fine = check(request); !fine) return tl::unexpected(fine.error());
  index_trace trace(shape_of(request));
  const std::int32_t before = lead_in_steps(request);
  for (std::int32_t i = 0; i < trace.shape.layers; ++i) {
    synthetic_layer layer(request.layers[static_cast<std::size_t>(i)], request.stream, request.top_k,
                          request.context, request.seed, request.first_layer + i);
    for (std::int32_t step = 0; step < before; ++step) layer.lead_in(step, trace.selected(step, i));
    for (std::int32_t step = before; step < trace.shape.steps; ++step) layer.next(trace.selected(step, i));
  }
  return trace;
}

}  // namespace ess
