#include "results/timeline.h"

#include <algorithm>

namespace results {
namespace {

struct interval {
  double start, end;
};

// In order and disjoint.
template <class Predicate>
std::vector<interval> intervals(const timeline& of, const Predicate& belongs) {
  std::vector<interval> out;
  for (const timeline_operation& op : of) {
    if (belongs(op)) out.push_back({op.start_us, op.end_us});
  }
  return out;
}

bool is_on_link(const timeline_operation& op) { return op.on_link; }
bool is_exchange(const timeline_operation& op) { return op.stream == "network"; }
bool is_compute(const timeline_operation& op) { return op.stream == "compute"; }

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

template <class Predicate>
double exposed_us(const timeline& of, const Predicate& belongs) {
  const auto what = intervals(of, belongs);
  return length(what) - common(what, intervals(of, is_compute));
}

}  // namespace

double exposed_transfer_us(const timeline& of) { return exposed_us(of, is_on_link); }
double exposed_exchange_us(const timeline& of) { return exposed_us(of, is_exchange); }

double link_busy_us(const timeline& of) { return length(intervals(of, is_on_link)); }

std::map<std::string, double> time_by_kind_us(const timeline& of) {
  std::map<std::string, double> out;
  for (const timeline_operation& op : of) out[op.kind] += op.end_us - op.start_us;
  return out;
}

}  // namespace results
