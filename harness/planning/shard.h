// A plan split over machines that work on it at the same time, each with a database of its own; `essbench
// import` puts them together.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "harness/planning/plan.h"

namespace harness {

// The `index`th of `of`, from 1 on.
struct shard {
  int index = 1;
  int of = 1;
  friend bool operator==(shard, shard) = default;
};

// "2/4"; nothing for what is not one.
[[nodiscard]] std::optional<shard> parse_shard(std::string_view text);

// What running a point takes, in no unit: bytes that its steps and its set-up touch, roughly. Good for
// comparing points of one plan.
[[nodiscard]] double predicted_cost(const planned_point& plan);

// For each point, the shard that runs it: dearest first, each to the shard that has least so far. It depends
// on the plan alone, which is the same on every machine.
[[nodiscard]] std::vector<int> shards_of(const std::vector<planned_point>& plans, int shards);

}  // namespace harness
