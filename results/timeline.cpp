#include "results/timeline.h"

#include <algorithm>

namespace results {
namespace {

struct interval {
  double start, end;
};

// In order and disjoint.
std::vector<interval> intervals(const timeline& of, bool link) {
  std::vector<interval> out;
  for (const timeline_operation& op : of) {
    if (link ? op.on_link : op.stream == "compute") out.push_back({op.start_us, op.end_us});
  }
  return out;
}

double length(const std::vector<interval>& all) {
  double sum = 0;
  for (const interval& i : all) sum += i.end - i.start;
  return sum;
}

double common(const std::vector<interval>& a, const std::vector<interval>& b) {
  double sum = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double start = std::max(a[i].start, b[j].start);
    const double end = std::min(a[i].end, b[j].end);
    if (end > start) sum += end - start;
    (a[i].end < b[j].end ? i : j) += 1;
  }
  return sum;
}

}  // namespace

double exposed_transfer_us(const timeline& of) {
  const auto link = intervals(of, true);
  return length(link) - common(link, intervals(of, false));
}

double link_busy_us(const timeline& of) { return length(intervals(of, true)); }

std::map<std::string, double> time_by_kind_us(const timeline& of) {
  std::map<std::string, double> out;
  for (const timeline_operation& op : of) out[op.kind] += op.end_us - op.start_us;
  return out;
}

}  // namespace results
