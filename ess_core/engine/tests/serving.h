// Requests of mixed lengths through a small engine that has room for few: places are reused many times.
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "baselines/systems.h"
#include "ess_core/device/tests/tested_devices.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/engine/decode_engine.h"
#include "ess_core/model/presets.h"

namespace ess::test {

inline constexpr token_id longest = 220;  // context of any request, its last kept token included

struct scenario {
  std::string_view system = "ess";
  std::string_view preset = "tiny";
  ess_options ess = {.sparse_ratio = 0.25};
  overlap_choice overlap = {};
  warm_up_kind warm_up = warm_up_kind::windows;
  hand_over_way hand_over = hand_over_way::to_host;
  std::int32_t query_tokens = 1;
  double mean_kept = 1.0;
  std::int32_t room = 2;  // requests of the longest kind that memory is made for
  std::int32_t seats = 4;
  tested_device on = tested_device::cpu;
};

struct fixture {
  explicit fixture(const scenario& what);

  scenario s;
  model_dims model;  // with draft layers
  std::unique_ptr<cache_system> system;
  std::unique_ptr<ess::device> on = make_tested(s.on);
  memory_layout layout;
  prefill_source prefill{model, 3};
  std::unique_ptr<decode_engine> engine;
};

// Of a device that takes its time, few.
[[nodiscard]] std::vector<request> mixed_requests(tested_device on = tested_device::cpu);

// Hidden states of every request after each of its kept tokens, whatever else ran beside it.
using outputs = std::map<request_id, std::vector<std::vector<float>>>;

struct served {
  outputs hidden;
  row_totals rows;
  std::int32_t steps = 0;
};

// Between steps all memory is overwritten that nothing may read before it is written again: rows and keys
// behind the end of each context (rejected drafts among them), those of nobody, staging rows and scratch.
[[nodiscard]] served serve(const scenario& what, const std::vector<request>& requests);

// Each request alone, on the device that holds everything, a token a step.
[[nodiscard]] const outputs& decoded_alone(std::string_view preset, tested_device on = tested_device::cpu);

}  // namespace ess::test
