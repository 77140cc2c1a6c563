#include "results/chrome_trace.h"

#include <fmt/format.h>

#include <map>

namespace results {
namespace {

using nlohmann::ordered_json;

ordered_json name_event(const char* what, int process, int thread, const std::string& name) {
  return {{"ph", "M"}, {"name", what}, {"pid", process}, {"tid", thread}, {"args", {{"name", name}}}};
}

ordered_json event_of(const timeline_operation& op, int process, int thread) {
  return {{"ph", "X"},
          {"name", op.kind},
          {"cat", op.on_link ? "link" : op.stream},
          {"pid", process},
          {"tid", thread},
          {"ts", op.start_us},
          {"dur", op.end_us - op.start_us},
          {"args", {{"layer", op.layer}, {"first_seat", op.first_seat}, {"seats", op.seats}}}};
}

void add_point(const loaded_point& point, int process, ordered_json& events, ordered_json& points) {
  const timeline& of = point.last()->steps_timeline;
  events.push_back(
      name_event("process_name", process, 0,
                 fmt::format("{} ({}, {})", point.point.label, point.point.device, point.point.clock)));
  std::map<std::string, int> threads;
  double total = 0;
  for (const timeline_operation& op : of) {
    const auto [thread, added] = threads.try_emplace(op.stream, static_cast<int>(threads.size()));
    if (added) events.push_back(name_event("thread_name", process, thread->second, op.stream));
    events.push_back(event_of(op, process, thread->second));
    total = std::max(total, op.end_us);
  }
  points.push_back({{"label", point.point.label},
                    {"clock", point.point.clock},
                    {"step_us", total},
                    {"link_busy_us", link_busy_us(of)},
                    {"exposed_transfer_us", exposed_transfer_us(of)}});
}

}  // namespace

std::string chrome_trace(const loaded_run& run, std::string_view label) {
  ordered_json events = ordered_json::array();
  ordered_json points = ordered_json::array();
  int process = 0;
  for (const loaded_point& point : run.points) {
    const bool wanted = label.empty() || point.point.label == label;
    if (!wanted || point.last() == nullptr || point.last()->steps_timeline.empty()) continue;
    add_point(point, ++process, events, points);
  }
  if (process == 0) return {};
  const ordered_json all = {{"displayTimeUnit", "ms"},
                            {"otherData", {{"run", run.run.id}, {"points", std::move(points)}}},
                            {"traceEvents", std::move(events)}};
  return all.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace results
