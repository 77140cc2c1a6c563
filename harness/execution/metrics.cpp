#include "harness/execution/metrics.h"

namespace harness {

results::timeline timeline_of(const ess::step_program& program, const ess::step_timing& timing) {
  results::timeline out;
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const ess::operation& op = program.operations[i];
    out.push_back({.kind = std::string(to_string(op.kind)),
                   .layer = op.layer,
                   .first_seat = op.slice.first,
                   .seats = op.slice.count,
                   .stream = std::string(to_string(op.stream)),
                   .on_link = crosses_link(op.kind),
                   .start_us = timing.operations[i].start.count(),
                   .end_us = timing.operations[i].end.count()});
  }
  return out;
}

void put_series(const ess::decode_engine& engine, results::attempt_record& out) {
  const ess::miss_history& misses = engine.misses();
  out.series["misses_by_step"] = misses.by_step;
  std::vector<double>& by_layer = out.series["misses_by_layer"];
  for (const double sum : misses.by_layer)
    by_layer.push_back(sum / static_cast<double>(misses.by_step.size()));
}

}  // namespace harness
