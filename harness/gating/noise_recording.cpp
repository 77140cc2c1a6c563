#include "harness/gating/noise_recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "workloads/spec.h"

namespace harness {
namespace {

using nlohmann::json;

constexpr int format_version = 1;

json stopping_json(const stopping_options& of) {
  return {{"min_samples", of.min_samples},
          {"max_samples", of.max_samples},
          {"max_seconds", of.max_time.count()},
          {"relative_ci", of.relative_half_width}};
}

stopping_options stopping_in(const json& of) {
  return {.warmup_samples = 0,  // recorded without
          .min_samples = of.at("min_samples").get<std::size_t>(),
          .max_samples = of.at("max_samples").get<std::size_t>(),
          .max_time = ess::seconds(of.at("max_seconds").get<double>()),
          .relative_half_width = of.at("relative_ci").get<double>()};
}

std::string run_text(const std::vector<double>& run) {
  std::string text = "        [";
  for (const double& us : run) text += fmt::format("{}{:.1f}", &us == &run.front() ? "" : ",", us);
  return text + "]";
}

// By hand, so that a run is a line.
std::string point_text(const recorded_point& of) {
  std::string text =
      fmt::format("    {{\"label\": {}, \"system\": {}, \"stopping\": {}, \"runs\": [\n",
                  json(of.label).dump(), json(of.system).dump(), stopping_json(of.stopping).dump());
  for (const auto& run : of.runs) text += run_text(run) + (&run == &of.runs.back() ? "\n" : ",\n");
  return text + "      ]}";
}

recorded_point point_in(const json& of) {
  return {.label = of.at("label").get<std::string>(),
          .system = of.at("system").get<std::string>(),
          .stopping = stopping_in(of.at("stopping")),
          .runs = of.at("runs").get<std::vector<std::vector<double>>>()};
}

bool is_usable(const std::vector<double>& run) {
  return !run.empty() && std::ranges::all_of(run, [](double us) { return us > 0 && std::isfinite(us); });
}

// Empty: nothing is wrong.
std::string objection_to(const noise_recording& of) {
  if (of.points.empty()) return "holds no point";
  const std::size_t runs = of.points.front().runs.size();
  if (runs < 4) return fmt::format("holds {} runs; 4 are the least", runs);
  for (const recorded_point& point : of.points) {
    if (point.runs.size() != runs)
      return fmt::format("point '{}' has {} runs, others {}", point.label, point.runs.size(), runs);
    if (!std::ranges::all_of(point.runs, is_usable))
      return fmt::format("point '{}' has a run without steps, or a step time that is not positive",
                         point.label);
    if (point.stopping.min_samples == 0 || point.stopping.max_samples < point.stopping.min_samples)
      return fmt::format("point '{}' stops after {} to {} samples", point.label, point.stopping.min_samples,
                         point.stopping.max_samples);
  }
  return {};
}

}  // namespace

noise_recording recording_of(const results::arm& runs, std::string_view workload,
                             const std::vector<std::pair<std::string, stopping_options>>& stopping) {
  noise_recording made{.workload = std::string(workload), .machine = runs.back().env, .points = {}};
  for (const auto& [label, options] : stopping) {
    recorded_point point{.label = label, .system = {}, .stopping = options, .runs = {}};
    point.stopping.warmup_samples = 0;
    for (const results::loaded_run& run : runs) {
      const auto at = std::ranges::find(run.points, label, [](const auto& p) { return p.point.label; });
      if (at == run.points.end() || at->last() == nullptr ||
          at->last()->status != results::attempt_status::ok)
        break;
      point.system = at->point.system;
      auto& run_of_point = point.runs.emplace_back(at->last()->samples.at("step_time_us"));
      for (double& us : run_of_point) us = std::round(us * 10) / 10;  // what a file holds
    }
    if (point.runs.size() == runs.size()) made.points.push_back(std::move(point));
  }
  return made;
}

std::string to_text(const noise_recording& of) {
  std::string text = fmt::format(
      "{{\n  \"essbench_noise\": {},\n  \"workload\": {},\n  \"environment\": {},\n  \"points\": [\n",
      format_version, json(of.workload).dump(), of.machine.dump());
  for (const recorded_point& point : of.points)
    text += point_text(point) + (&point == &of.points.back() ? "\n" : ",\n");
  return text + "  ]\n}\n";
}

workloads::result<noise_recording> read_recording(std::string_view text, std::string_view file) {
  const auto refuse = [&](std::string what) {
    return tl::unexpected(workloads::spec_error{.path = {},
                                                .line = 0,
                                                .what = std::move(what),
                                                .hint = "give a file that `essbench noise --out` wrote",
                                                .file = std::string(file)});
  };
  const json all = json::parse(text, nullptr, false);
  if (all.is_discarded()) return refuse("is not JSON");
  if (!all.is_object() || !all.contains("essbench_noise")) return refuse("is no recording of noise");
  if (all.at("essbench_noise") != format_version)
    return refuse(fmt::format("has version {} of its format, this essbench reads {}",
                              all.at("essbench_noise").dump(), format_version));
  noise_recording made;
  try {
    made.workload = all.at("workload").get<std::string>();
    made.machine = all.at("environment");
    for (const json& point : all.at("points")) made.points.push_back(point_in(point));
  } catch (const json::exception& e) {
    return refuse(e.what());
  }
  if (auto objection = objection_to(made); !objection.empty()) return refuse(std::move(objection));
  return made;
}

workloads::result<noise_recording> load_recording(const std::string& file) {
  const auto text = workloads::read_text(file);
  return text ? read_recording(*text, file) : tl::unexpected(text.error());
}

}  // namespace harness
