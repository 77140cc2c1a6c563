#include "results/tests/example_run.h"

#include <stdexcept>

#include "results/statistics.h"
#include "results/tests/scratch.h"

namespace results::testing {
namespace {

metric_value exactly(double value, std::string unit) {
  return {.median = value, .lo = value, .hi = value, .n = 1, .unit = std::move(unit)};
}

loaded_point point(std::string label, std::string system, std::int64_t budget = 135'000'000) {
  loaded_point made{.point = a_point(std::move(label), std::move(system))};
  for (settings* of : {&made.point.requested, &made.point.effective}) {
    (*of)["device_budget_bytes"] = budget;
    (*of)["link.paced"] = true;
  }
  made.point.requested["overlap"] = made.point.system == "ess" ? "da" : "none";
  return made;
}

// `batch` requests, a step of `step_us` give or take 1 %, in ten samples.
loaded_point measured(loaded_point of, int batch, double step_us) {
  attempt_record attempt = {.stop_reason = "relative_ci", .started_at = a_time(1), .ended_at = a_time(9)};
  std::vector<double>& samples = attempt.samples["step_time_us"];
  for (int i = 0; i < 10; ++i) samples.push_back(step_us * (0.99 + 0.002 * i));
  for (const double us : samples) attempt.samples["tokens_per_s"].push_back(batch * 1e6 / us);
  attempt.metrics = {{"step_time_us", summarise(samples, "us")},
                     {"tokens_per_s", exactly(batch * 1e6 / step_us, "tok/s")},
                     {"batch", exactly(batch, "")},
                     {"batch_max", exactly(batch, "")},
                     {"device_bytes", exactly(130e6 + batch, "B")},
                     {"host_bytes", exactly(batch * 21.5e6, "B")}};
  of.attempts.push_back(std::move(attempt));
  return of;
}

loaded_point with_link(loaded_point of, double hit_rate, double bytes) {
  auto& metrics = of.attempts.back().metrics;
  metrics["hit_rate"] = exactly(hit_rate, "");
  metrics["misses_over_topk"] = exactly(1 - hit_rate, "");
  metrics["h2d_bytes_per_step"] = exactly(bytes, "B");
  metrics["exposed_transfer_us_per_layer"] = exactly(bytes * 1e-5, "us");
  metrics["link_proportion"] = exactly(2.7, "");
  metrics["op_attend_us"] = exactly(21'000, "us");
  metrics["op_fetch_us"] = exactly(9'500.25, "us");
  metrics["op_score_keys_us"] = exactly(21'000, "us");
  return of;
}

}  // namespace

loaded_run an_example_run() {
  loaded_run run{.run = a_run("0b5e3a52-7c1d-4e0f-9a77-3f1c2d4e5f60"),
                 .env = an_environment(),
                 .workload = a_workload()};
  run.points = {measured(point("all_gpu", "all_gpu"), 4, 30'000),
                point("naive_memcpy", "naive_memcpy"),
                with_link(measured(point("naive_gather", "naive_gather"), 18, 250'000), 0.0, 24'182'784),
                point("layer_stream", "layer_stream"),
                with_link(measured(point("ess", "ess"), 14, 62'500), 0.912, 2'128'085),
                point("hisparse", "hisparse"),
                with_link(measured(point("ess größe=小", "ess"), 12, 61'000), 0.9, 1'999'999),
                measured(point("uncapped", "all_gpu", 0), 14, 55'000)};
  run.points[1].attempts = {{.status = attempt_status::incorrect,
                             .reason = "attention error 0.31, limit 0.01",
                             .metrics = {{"device_bytes", exactly(120e6, "B")}}}};
  run.points[3].attempts = {
      {.status = attempt_status::out_of_memory, .reason = "needs 161.0 MB on the device,\nbudget 135.0 MB"}};
  run.points[6].attempts.back().status = attempt_status::noisy;
  run.points[6].attempts.back().reason = "pacing late by 3.1 % of the step, limit 2 %";
  return run;
}

loaded_point& point_of(loaded_run& run, std::string_view label) {
  for (loaded_point& p : run.points) {
    if (p.point.label == label) return p;
  }
  throw std::out_of_range("no such point in the example");
}

}  // namespace results::testing
