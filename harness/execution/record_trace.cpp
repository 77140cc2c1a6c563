#include "harness/execution/record_trace.h"

#include <algorithm>

#include "harness/execution/attempt.h"

namespace harness {
namespace {

// Ids of one query token, from [layers][query tokens][top_k].
void copy_ids(std::span<const ess::token_id> ids, const ess::memory_layout& layout, std::int32_t query,
              ess::index_trace& to, std::int32_t step) {
  const auto top_k = static_cast<std::size_t>(layout.model.top_k);
  for (std::int32_t layer = 0; layer < layout.model.layers; ++layer) {
    const auto list = static_cast<std::size_t>(layer * layout.shape.query_tokens + query);
    std::ranges::copy(ids.subspan(list * top_k, top_k), to.selected(step, layer).begin());
  }
}

}  // namespace

ess::index_trace record_trace(const planned_point& plan, machine& on, std::int32_t steps) {
  const auto seed = static_cast<std::uint64_t>(plan.point.requested.seed);
  const ess::request request{0, plan.point.requested.context_tokens, steps};
  ess::batch_plan shape = plan.shape;
  shape.final_tokens = request.final_tokens();
  const ess::memory_layout layout = ess::make_layout(shape, *plan.system, 1, 1);
  const auto device = on.make_reference_device(plan);
  device->allocate(layout, seed);
  ess::decode_engine engine(*device, *plan.system, on.prefill(plan.model, plan.point.requested),
                            engine_options_of(plan, layout));
  engine.admit_batch({request});
  ess::index_trace out({.steps = steps,
                        .layers = plan.model.layers,
                        .top_k = plan.model.top_k,
                        .first_token = request.prompt_tokens});
  for (std::int32_t done = 0; engine.active() > 0;) {
    const ess::step_report report = engine.step([](const ess::operation&) {});  // not a measurement
    const std::vector<ess::token_id> ids = engine.selected(0);
    for (std::int32_t query = 0; query < report.kept.front(); ++query)
      copy_ids(ids, layout, query, out, done++);
  }
  return out;
}

}  // namespace harness
