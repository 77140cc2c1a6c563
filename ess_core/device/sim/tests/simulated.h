// A small model decoded by the engine on a simulated device.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "baselines/systems.h"
#include "ess_core/device/sim/sim_device.h"
#include "ess_core/device/sim/tests/round_hardware.h"
#include "ess_core/device/sim/tests/small_streams.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/engine/decode_engine.h"
#include "ess_core/model/presets.h"

namespace ess::sim::test {

struct scenario {
  std::string_view system = "ess";
  std::string_view preset = "tiny";
  ess_options ess = {.sparse_ratio = 0.25};
  overlap_choice overlap = {};
  std::vector<double> layer_misses = {};
  warm_up_kind warm_up = warm_up_kind::windows;
  std::int32_t query_tokens = 1;
  double mean_kept = 1.0;
  std::int32_t seats = 4;
  token_id longest = 400;  // context of any request, its last kept token included
  sim_device_options device = {.hardware = round_hardware(), .locality = small_streams()};
};

struct simulated {
  explicit simulated(scenario what)
      : s(std::move(what)),
        model(s.query_tokens > 1 ? with_draft_layers(find_model_preset(s.preset).value())
                                 : find_model_preset(s.preset).value()),
        system(make_system(s.system, s.ess)),
        on(make_sim_device(s.device)),
        layout(make_layout(
            {.model = model, .query_tokens = s.query_tokens, .final_tokens = s.longest, .shortest_tokens = 1},
            *system, s.seats, s.seats)) {
    on->allocate(layout, seed);
    engine = std::make_unique<decode_engine>(*on, *system, prefill,
                                             engine_options{.layout = layout,
                                                            .seed = seed,
                                                            .overlap = s.overlap.kind,
                                                            .micro_batches = s.overlap.micro_batches,
                                                            .experts_elsewhere = s.overlap.experts_elsewhere,
                                                            .layer_misses = s.layer_misses,
                                                            .dba_from_misses = 0.2 * model.top_k,
                                                            .mean_kept = s.mean_kept,
                                                            .warm_up = s.warm_up});
  }

  // As many of equal length as there are seats.
  void fill(token_id prompt, token_id output) {
    std::vector<request> requests;
    for (request_id id = 0; id < s.seats; ++id) requests.push_back({id, prompt, output});
    engine->admit_batch(requests);
  }

  static constexpr std::uint64_t seed = 3;
  scenario s;
  model_dims model;  // with draft layers where it drafts
  std::unique_ptr<cache_system> system;
  std::unique_ptr<ess::device> on;
  memory_layout layout;
  prefill_source prefill{model, seed};
  std::unique_ptr<decode_engine> engine;
};

inline std::vector<request> mixed_requests(std::int32_t count) {
  std::vector<request> out;
  for (request_id id = 0; id < count; ++id) out.push_back({id, 40 + id * 37 % 160, 20 + id * 13 % 49});
  return out;
}

// All of them, each as soon as there is room. `each` sees every step.
inline void serve(simulated& f, const std::vector<request>& requests,
                  const std::function<void(const step_report&)>& each) {
  for (std::size_t next = 0; next < requests.size() || f.engine->active() > 0;) {
    while (next < requests.size() && f.engine->admit(requests[next])) ++next;
    each(f.engine->step());
  }
}

inline std::vector<row_counters> counters_of(const simulated& f) {  // [layers][seats]
  std::vector<row_counters> out(static_cast<std::size_t>(f.model.layers * f.layout.shape.seats));
  f.on->read(buffer_id::counters, 0, std::as_writable_bytes(std::span(out)));
  return out;
}

}  // namespace ess::sim::test
