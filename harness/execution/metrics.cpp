#include "harness/execution/metrics.h"

#include <algorithm>
#include <vector>

namespace harness {
namespace {

using ess::op_timing;

// Operations of one stream follow each other, so intervals are in order and disjoint.
std::vector<op_timing> intervals(const ess::step_program& program, const ess::step_timing& timing,
                                 bool link) {
  std::vector<op_timing> out;
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const ess::operation& op = program.operations[i];
    const bool wanted = link ? crosses_link(op.kind) : op.stream == ess::stream_id::compute;
    if (wanted) out.push_back(timing.operations[i]);
  }
  return out;
}

ess::microseconds length(const std::vector<op_timing>& all) {
  ess::microseconds sum{};
  for (const op_timing& t : all) sum += t.end - t.start;
  return sum;
}

ess::microseconds common(const std::vector<op_timing>& a, const std::vector<op_timing>& b) {
  ess::microseconds sum{};
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const auto start = std::max(a[i].start, b[j].start);
    const auto end = std::min(a[i].end, b[j].end);
    if (end > start) sum += end - start;
    (a[i].end < b[j].end ? i : j) += 1;
  }
  return sum;
}

}  // namespace

op_times time_by_kind(const ess::step_program& program, const ess::step_timing& timing) {
  op_times out{};
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const op_timing& t = timing.operations[i];
    out[static_cast<std::size_t>(program.operations[i].kind)] += (t.end - t.start).count();
  }
  return out;
}

ess::microseconds exposed_transfer(const ess::step_program& program, const ess::step_timing& timing) {
  const auto link = intervals(program, timing, true);
  return length(link) - common(link, intervals(program, timing, false));
}

ess::microseconds link_busy(const ess::step_program& program, const ess::step_timing& timing) {
  return length(intervals(program, timing, true));
}

}  // namespace harness
