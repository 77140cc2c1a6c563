// Times measured at some sizes, and what follows for sizes between them.
#pragma once

#include <string>
#include <vector>

#include "ess_core/device/device.h"
#include "ess_core/device/sim/evidence.h"

namespace ess::sim {

// A size lies further outside of a table than it may be stretched.
class beyond_table : public unsupported {
 public:
  using unsupported::unsupported;
};

struct table_point {
  double y = 0;
  double us = 0;
};
// The points of one x, y ascending.
struct table_curve {
  double x = 0;
  std::vector<table_point> points;
};

struct table_value {
  double us = 0;
  double stretch = 1;  // how many times the largest size was exceeded; 1: not
};

// Over (x, y); a table over one size has one curve. Between points times are interpolated in the logarithms
// of sizes and times; beyond the largest, along the straight line through the last two, up to `max_stretch`
// times; below the smallest, its time: what is smaller than anything measured is bound by its launch.
class cost_table {
 public:
  static constexpr double max_stretch = 10;

  cost_table() = default;
  // x ascends, as does y within each; times are above 0. Throws std::invalid_argument.
  cost_table(std::vector<table_curve> curves, evidence level, std::string source);

  [[nodiscard]] bool empty() const { return curves_.empty(); }
  // Throws beyond_table.
  [[nodiscard]] table_value at(double x, double y) const;
  [[nodiscard]] table_value at(double y) const { return at(curves_.front().x, y); }

  [[nodiscard]] const std::vector<table_curve>& curves() const { return curves_; }
  [[nodiscard]] evidence level() const { return level_; }
  [[nodiscard]] const std::string& source() const { return source_; }
  // All times multiplied.
  [[nodiscard]] cost_table scaled(double factor) const;

 private:
  std::vector<table_curve> curves_;
  evidence level_ = evidence::assumed;
  std::string source_;
};

}  // namespace ess::sim
