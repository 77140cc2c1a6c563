#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <optional>
#include <thread>

#include "harness/execution/attempt.h"
#include "harness/execution/metrics.h"
#include "results/statistics.h"
#include "workloads/requests.h"

namespace harness {
namespace {

using results::attempt_record;
using results::attempt_status;
using std::chrono::steady_clock;

struct served {
  double arrival_s = 0;
  double admitted_s = 0;
  double first_token_s = 0;
  double last_token_s = 0;
  std::int32_t first_tokens = 0;  // of the first step
  std::int32_t tokens = 0;
};

// What time it is for requests: that of the wall, or of a device whose clock is virtual and moves only while
// something takes time or nobody is there.
class service_clock {
 public:
  explicit service_clock(ess::clock_kind kind) : virtual_(kind == ess::clock_kind::virtual_clock) {}

  [[nodiscard]] double now_s() const {
    return virtual_ ? virtual_s_ : ess::seconds(steady_clock::now() - start_).count();
  }
  void took(ess::microseconds time) { virtual_s_ += ess::seconds(time).count(); }
  // Not long on the wall: somebody may interrupt.
  void wait_until(double second) {
    virtual_s_ = std::max(virtual_s_, second);
    if (virtual_) return;
    const auto until = start_ + std::chrono::duration_cast<steady_clock::duration>(ess::seconds(second));
    std::this_thread::sleep_until(std::min(until, steady_clock::now() + std::chrono::milliseconds(100)));
  }

 private:
  bool virtual_;
  double virtual_s_ = 0;
  steady_clock::time_point start_ = steady_clock::now();
};

// One replay of a request log.
class replay {
 public:
  replay(const planned_point& plan, const attempt_context& with, const workloads::request_log& log)
      : plan_(plan), with_(with) {
    ess::request_id id = 0;
    for (const workloads::request_spec& r : log.requests) {
      requests_.push_back({id++, r.prompt_tokens, r.output_tokens});
      served_.push_back({.arrival_s = r.arrival_s});
    }
  }

  [[nodiscard]] const std::vector<ess::request>& requests() const { return requests_; }

  // Until all are served, or time is up, or someone interrupts. Returns why it ended.
  std::string run(ess::decode_engine& engine, ess::clock_kind clock) {
    clock_ = service_clock(clock);
    while (finished_ < requests_.size()) {
      if (with_.cancelled()) return "cancelled";
      if (clock_.now_s() > plan_.point.requested.measure.max_seconds) return "max_seconds";
      admit_arrived(engine);
      if (engine.active() == 0) {
        wait_for_next();
      } else {
        step(engine);
      }
    }
    return "all_served";
  }

  void put_metrics(const ess::hand_over_totals& handed_over, attempt_record& out) const {
    std::vector<double> tpot, wait;
    std::int64_t tokens = 0;
    for (const served& r : served_) {
      tokens += r.tokens;
      if (r.tokens == 0) continue;
      wait.push_back((r.first_token_s - r.arrival_s) * 1e6);
      if (const auto us = tpot_us(r)) tpot.push_back(*us);
    }
    const auto put = [&](const char* name, std::span<const double> samples, const char* unit) {
      if (!samples.empty()) out.metrics[name] = results::summarise(samples, unit);
    };
    const auto put_one = [&](const char* name, double value, const char* unit) {
      put(name, std::span(&value, 1), unit);
    };
    put("step_time_us", step_us_, "us");
    put("active_requests", active_, "requests");
    put("tpot_us", tpot, "us");
    if (!tpot.empty()) {
      put_one("tpot_p50_us", results::quantile(tpot, 0.5), "us");
      put_one("tpot_p99_us", results::quantile(tpot, 0.99), "us");
    }
    if (!wait.empty()) {
      put_one("first_token_p50_us", results::quantile(wait, 0.5), "us");
      put_one("first_token_p99_us", results::quantile(wait, 0.99), "us");
    }
    put_one("tokens_per_s", static_cast<double>(tokens) / end_s_, "tok/s");
    if (plan_.simulated != nullptr) {
      put_one("tokens_per_s_per_node",
              static_cast<double>(tokens) / end_s_ * plan_.simulated->profile->hardware.gpus_per_node.value,
              "tok/s");
    }
    put_goodput(put_one);
    put_one("requests_finished", static_cast<double>(finished_), "requests");
    put_one("requests_offered", static_cast<double>(requests_.size()), "requests");
    put_one("hand_over_share",
            std::accumulate(hand_over_us_.begin(), hand_over_us_.end(), 0.0) * 1e-6 / end_s_, "");
    put("hand_over_us", hand_over_us_, "us");
    const double row = static_cast<double>(plan_.model.latent_row_bytes().value);
    const auto admitted = static_cast<double>(std::max<std::int64_t>(1, handed_over.requests));
    put_one("hand_over_h2d_bytes", static_cast<double>(handed_over.rows_in) * row / admitted, "B");
    put_one("hand_over_d2h_bytes", static_cast<double>(handed_over.rows_out) * row / admitted, "B");
    put_rows(put_one);
    out.samples["step_time_us"] = step_us_;
    out.samples["tpot_us"] = tpot;
  }

 private:
  // Per output token, from a request's first step on; nothing if that gave all of them.
  [[nodiscard]] static std::optional<double> tpot_us(const served& r) {
    const std::int32_t later = r.tokens - r.first_tokens;
    if (later <= 0) return std::nullopt;
    return (r.last_token_s - r.first_token_s) / later * 1e6;
  }

  // What was served well, by the limit that the workload sets.
  template <class Put>
  void put_goodput(const Put& put_one) const {
    const double limit_us = plan_.point.requested.requests.slo_tpot_ms * 1e3;
    if (limit_us <= 0) return;
    double tokens = 0, well = 0, all = 0;
    for (const served& r : served_) {
      if (r.tokens == 0) continue;
      all += 1;
      if (tpot_us(r).value_or(0) > limit_us) continue;
      well += 1;
      tokens += r.tokens;
    }
    put_one("slo_met_share", all > 0 ? well / all : 0, "");
    put_one("goodput_tokens_per_s", tokens / end_s_, "tok/s");
    put_one("goodput_requests_per_s", well / end_s_, "1/s");
  }

  template <class Put>
  void put_rows(const Put& put_one) const {
    const double row = static_cast<double>(plan_.model.latent_row_bytes().value);
    const double steps = static_cast<double>(std::max<std::size_t>(1, step_us_.size()));
    put_one("h2d_bytes_per_step", static_cast<double>(rows_.rows_in + rows_.ahead_in) * row / steps, "B");
    put_one("d2h_bytes_per_step", static_cast<double>(rows_.rows_out) * row / steps, "B");
    if (rows_.asked == 0) return;
    put_one("hit_rate", static_cast<double>(rows_.hits) / static_cast<double>(rows_.asked), "");
    const double requests = std::accumulate(active_.begin(), active_.end(), 0.0) * plan_.model.layers;
    const double misses = static_cast<double>(rows_.misses) / requests;
    put_one("misses_per_layer_step", misses, "rows");
    if (plan_.system->prefetch_rows() > 0) {
      put_one("prefetched_per_layer_step", static_cast<double>(rows_.ahead_in) / requests, "rows");
      put_one("prefetch_useful_per_layer_step", static_cast<double>(rows_.ahead_used) / requests, "rows");
      put_one("prefetch_wasted_per_layer_step", static_cast<double>(rows_.ahead_lost) / requests, "rows");
    }
    put_one("misses_over_topk", misses / plan_.model.top_k, "");
    if (overlap_steps_ > 0) put_one("step_overlap", overlap_sum_ / overlap_steps_, "");
  }

  // First come, first served: a request that does not fit holds back those behind it.
  void admit_arrived(ess::decode_engine& engine) {
    while (next_ < requests_.size() && served_[next_].arrival_s <= clock_.now_s()) {
      const double before = clock_.now_s();
      const ess::microseconds programs = engine.handed_over().time;
      if (!engine.admit(requests_[next_])) return;
      clock_.took(engine.handed_over().time - programs);
      served_[next_].admitted_s = clock_.now_s();
      hand_over_us_.push_back((served_[next_].admitted_s - before) * 1e6);
      ++next_;
    }
  }

  void wait_for_next() {
    if (next_ < requests_.size()) clock_.wait_until(served_[next_].arrival_s);
  }

  void step(ess::decode_engine& engine) {
    const ess::step_report report = engine.step();
    clock_.took(report.timing.total);
    end_s_ = clock_.now_s();
    for (std::size_t i = 0; i < engine.seats().size(); ++i) {
      served& r = served_[static_cast<std::size_t>(engine.seats()[i].request)];
      if (r.tokens == 0) {
        r.first_token_s = end_s_;
        r.first_tokens = report.kept[i];
      }
      r.tokens += report.kept[i];
      r.last_token_s = end_s_;
    }
    finished_ += report.finished.size();
    step_us_.push_back(report.timing.total.count());
    active_.push_back(report.active);
    rows_ += report.rows;
    if (report.step_overlap) {
      overlap_sum_ += *report.step_overlap;
      ++overlap_steps_;
    }
    with_.report.update({.phase = "serving", .samples = finished_});
  }

  const planned_point& plan_;
  const attempt_context& with_;
  std::vector<ess::request> requests_;
  std::vector<served> served_;
  std::size_t next_ = 0;
  std::size_t finished_ = 0;
  service_clock clock_{ess::clock_kind::wall};
  double end_s_ = 0;
  std::vector<double> step_us_, active_, hand_over_us_;
  ess::row_totals rows_;
  double overlap_sum_ = 0;
  int overlap_steps_ = 0;
};

// The first requests that fit together, on an engine of their own.
bool check_serving(const planned_point& plan, const attempt_context& with,
                   const std::vector<ess::request>& all, attempt_record& out) {
  const ess::memory_layout layout = ess::make_layout(plan.shape, *plan.system, plan.batch, plan.batch);
  const auto device = with.shared.make_device(plan);
  device->allocate(layout, static_cast<std::uint64_t>(plan.point.requested.seed));
  ess::decode_engine engine(*device, *plan.system, with.shared.prefill(plan.model, plan.point.requested),
                            engine_options_of(plan, layout));
  std::vector<ess::request> admitted;
  for (const ess::request& r : all) {
    const workloads::settings& s = plan.point.requested;
    if (r.output_tokens < s.accuracy.steps * s.mtp || !engine.admit(r)) continue;
    admitted.push_back(r);
    if (engine.active() == plan.batch) break;
  }
  return check_first(plan, with, *device, engine, layout, admitted, out);
}

}  // namespace

void run_serve_point(const planned_point& plan, const attempt_context& with, attempt_record& out) {
  const workloads::settings& s = plan.point.requested;
  const auto log = workloads::make_requests(s, with.workload_file);
  if (!log) {
    out.status = attempt_status::error;
    out.reason = to_string(log.error());
    return;
  }
  with.report.update({.phase = "set-up"});
  replay requests(plan, with, *log);
  const auto seed = static_cast<std::uint64_t>(s.seed);
  // Prefill is another machine's work: its results are there when a request arrives.
  const ess::memory_layout layout = plan.layout();
  const auto device = with.shared.make_device(plan);
  device->allocate(layout, seed);
  for (const ess::request& r : requests.requests()) {
    if (with.cancelled() || !device->has_values()) break;
    ess::decode_engine alone(*device, *plan.system, with.shared.prefill(plan.model, plan.point.requested),
                             engine_options_of(plan, layout));
    (void)alone.admit(r);
  }
  if (device->has_values() && !check_serving(plan, with, requests.requests(), out)) return;
  ess::engine_options options = engine_options_of(plan, layout);
  options.hand_over_clock = ess::hand_over_timing::as_in_service;
  ess::decode_engine engine(*device, *plan.system, with.shared.prefill(plan.model, plan.point.requested),
                            options);
  out.stop_reason = requests.run(engine, device->clock());
  if (out.stop_reason == "cancelled") {
    out.status = attempt_status::cancelled;
    out.reason = "interrupted";
    return;
  }
  note_layerwise(plan, engine, out);
  if (plan.system->addressing() == ess::row_addressing::by_location) put_series(engine, out);
  requests.put_metrics(engine.handed_over(), out);
  for (const auto& [name, value] : device->notes())
    out.metrics[name] = results::summarise(std::span(&value, 1), "");
}

}  // namespace harness
