#include "ess_core/device/sim/cost_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "ess_core/locality/portable_math.h"

namespace ess::sim {
namespace {

// On the line through two points, in logarithms.
double between(double x0, double v0, double x1, double v1, double x) {
  const double share = portable_log(x / x0) / portable_log(x1 / x0);
  return v0 * portable_exp(share * portable_log(v1 / v0));
}

// On the straight line through two points, never below the last.
double beyond(double x0, double v0, double x1, double v1, double x) {
  return v1 + std::max(0.0, (v1 - v0) / (x1 - x0)) * (x - x1);
}

double check_stretch(double last, double x) {
  const double stretch = x / last;
  if (stretch > cost_table::max_stretch) {
    throw beyond_table(fmt::format(
        "a size of {:.0f} is {:.1f} times the largest that was measured, {:.0f}; the limit is {:.0f}", x,
        stretch, last, cost_table::max_stretch));
  }
  return stretch;
}

table_value on_curve(const table_curve& curve, double y) {
  const std::vector<table_point>& points = curve.points;
  if (y <= points.front().y) return {points.front().us};
  const auto next = std::ranges::lower_bound(points, y, {}, &table_point::y);
  if (next != points.end()) {
    const table_point& before = *(next - 1);
    return {between(before.y, before.us, next->y, next->us, y)};
  }
  const table_point& last = points.back();
  const double stretch = check_stretch(last.y, y);
  if (points.size() == 1) return {last.us, stretch};
  const table_point& before = points[points.size() - 2];
  return {beyond(before.y, before.us, last.y, last.us, y), stretch};
}

}  // namespace

cost_table::cost_table(std::vector<table_curve> curves, evidence level, std::string source)
    : curves_(std::move(curves)), level_(level), source_(std::move(source)) {
  double x = 0;
  for (const table_curve& curve : curves_) {
    if (!(curve.x > x)) throw std::invalid_argument(fmt::format("{} does not follow {}", curve.x, x));
    if (curve.points.empty()) throw std::invalid_argument(fmt::format("{} has no points", curve.x));
    x = curve.x;
    double y = 0;
    for (const table_point& point : curve.points) {
      if (!(point.y > y))
        throw std::invalid_argument(fmt::format("({}, {}) does not follow {}", x, point.y, y));
      if (!(point.us > 0))
        throw std::invalid_argument(fmt::format("({}, {}) takes {} us", x, point.y, point.us));
      y = point.y;
    }
  }
}

table_value cost_table::at(double x, double y) const {
  const auto next = std::ranges::lower_bound(curves_, x, {}, &table_curve::x);
  if (next == curves_.begin() || curves_.size() == 1) return on_curve(curves_.front(), y);
  const bool stretched = next == curves_.end();
  const table_curve& upper = stretched ? curves_.back() : *next;
  const table_curve& lower = stretched ? curves_[curves_.size() - 2] : *(next - 1);
  const table_value to = on_curve(upper, y);
  if (upper.x == x) return to;
  const table_value from = on_curve(lower, y);
  const double us = (stretched ? beyond : between)(lower.x, from.us, upper.x, to.us, x);
  return {us, std::max({from.stretch, to.stretch, stretched ? check_stretch(upper.x, x) : 1.0})};
}

cost_table cost_table::scaled(double factor) const {
  cost_table out = *this;
  for (table_curve& curve : out.curves_) {
    for (table_point& point : curve.points) point.us *= factor;
  }
  return out;
}

}  // namespace ess::sim
