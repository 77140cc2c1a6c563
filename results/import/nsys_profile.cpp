#include "results/import/nsys_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace results {
namespace {

constexpr std::string_view point_prefix = "point ";

bool is_point(const nsys_range& range) { return range.name.starts_with(point_prefix); }

std::string operation_of(const nsys_range& range) { return is_point(range) ? "point" : range.name; }

// Ranges of one group (a thread, or the points of a process), each knowing the one that it lies in.
class nested_ranges {
 public:
  explicit nested_ranges(const std::vector<nsys_range>& all) : all_(all) {}

  void add(std::size_t range) { order_.push_back({range, none}); }

  // To be called when all are added.
  void nest() {
    std::ranges::sort(order_, [this](const entry& a, const entry& b) {
      const time_span &x = time(a), &y = time(b);
      return std::tuple(x.begin, -x.end, a.range) < std::tuple(y.begin, -y.end, b.range);
    });
    std::size_t open = none;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      while (open != none && time(order_[open]).end < time(order_[i]).end) open = order_[open].parent;
      order_[i].parent = open;
      open = i;
    }
  }

  // The innermost one that is open at this time.
  [[nodiscard]] const nsys_range* find(std::int64_t at) const {
    const auto after =
        std::ranges::upper_bound(order_, at, {}, [this](const entry& e) { return time(e).begin; });
    if (after == order_.begin()) return nullptr;
    auto i = static_cast<std::size_t>(after - order_.begin()) - 1;
    while (i != none && time(order_[i]).end < at) i = order_[i].parent;
    return i == none ? nullptr : &all_[order_[i].range];
  }

 private:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  struct entry {
    std::size_t range;
    std::size_t parent;  // place in order_
  };

  [[nodiscard]] const time_span& time(const entry& of) const { return all_[of.range].time; }

  const std::vector<nsys_range>& all_;
  std::vector<entry> order_;
};

class range_index {
 public:
  explicit range_index(const std::vector<nsys_range>& all) : all_(all) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      of(threads_, all[i].thread).add(i);
      if (is_point(all[i])) of(points_, process_of(all[i].thread)).add(i);
    }
    for (groups* all_of : {&threads_, &points_}) {
      for (auto& [group, ranges] : *all_of) ranges.nest();
    }
  }

  [[nodiscard]] const nsys_range* innermost(std::int64_t thread, std::int64_t at) const {
    return find(threads_, thread, at);
  }

  // A thread that helps has no range of the point; but points of one process follow each other.
  [[nodiscard]] const nsys_range* point_at(std::int64_t thread, std::int64_t at) const {
    return find(points_, process_of(thread), at);
  }

 private:
  using groups = std::unordered_map<std::int64_t, nested_ranges>;

  nested_ranges& of(groups& all, std::int64_t group) { return all.try_emplace(group, all_).first->second; }

  [[nodiscard]] const nsys_range* find(const groups& in, std::int64_t group, std::int64_t at) const {
    const auto ranges = in.find(group);
    return ranges == in.end() ? nullptr : ranges->second.find(at);
  }

  const std::vector<nsys_range>& all_;
  groups threads_, points_;
};

std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t total = 0;
  return __builtin_add_overflow(a, b, &total) ? std::numeric_limits<std::int64_t>::max() : total;
}

class joining {
 public:
  explicit joining(const nsys_export& of) : of_(of), index_(of.ranges) {}

  profiled_points run() {
    for (const nsys_range& range : of_.ranges) add(range);
    for (const nsys_activity& activity : of_.activities) add(activity);
    profiled_points made{.joined = joined_};
    for (auto& [key, line] : lines_) made.by_label[std::get<0>(key)].push_back(std::move(line));
    return made;
  }

 private:
  profile_line& line_of(const nsys_range& point, const nsys_range& range, profiled_activity activity,
                        const std::string& name) {
    const std::string operation = operation_of(range);
    profile_line& line =
        lines_[{point.name.substr(point_prefix.size()), operation, range.layer, activity, name}];
    line.operation = operation;
    line.layer = range.layer;
    line.activity = activity;
    line.name = name;
    ++line.count;
    return line;
  }

  void add(const nsys_range& range) {
    const nsys_range* point = is_point(range) ? &range : index_.point_at(range.thread, range.time.begin);
    if (point == nullptr) return;
    profile_line& line = line_of(*point, range, profiled_activity::range, "");
    line.cpu_us += range.time.us();
    line.bytes = sum(line.bytes, range.bytes);
  }

  void add(const nsys_activity& activity) {
    const nsys_range* range =
        activity.has_call ? index_.innermost(activity.call_thread, activity.call_begin) : nullptr;
    const nsys_range* point =
        range == nullptr ? nullptr : index_.point_at(activity.call_thread, activity.call_begin);
    count(activity, range, point);
    if (point == nullptr) return;
    profile_line& line = line_of(*point, *range, activity.activity, activity.name);
    line.gpu_us += activity.time.us();
    line.bytes = sum(line.bytes, activity.bytes);
  }

  void count(const nsys_activity& activity, const nsys_range* range, const nsys_range* point) {
    if (point == nullptr) {
      ++joined_.nowhere;
      joined_.nowhere_us += activity.time.us();
      if (!activity.has_call) ++joined_.without_call;
    } else if (is_point(*range)) {
      ++joined_.in_points;
    } else if (range->name == "step") {
      ++joined_.in_steps;
      if (activity.in_graph) ++joined_.of_graphs;
    } else {
      ++joined_.in_operations;
    }
  }

  using line_key = std::tuple<std::string, std::string, int, profiled_activity, std::string>;

  const nsys_export& of_;
  range_index index_;
  std::map<line_key, profile_line> lines_;
  join_count joined_;
};

}  // namespace

profiled_points join_by_range(const nsys_export& of) { return joining(of).run(); }

std::string to_text(const join_count& of) {
  const std::int64_t all = of.in_operations + of.in_steps + of.in_points + of.nowhere;
  if (all == 0) return "no kernels and no copies";
  return fmt::format(
      "of {} kernels and copies, {} in operations, {} in steps but no operation ({} of these by CUDA "
      "graphs), "
      "{} in points outside of steps, {} in no point ({} of these without the call that launched them; "
      "{:.1f} "
      "us of GPU time)",
      all, of.in_operations, of.in_steps, of.of_graphs, of.in_points, of.nowhere, of.without_call,
      of.nowhere_us);
}

}  // namespace results
