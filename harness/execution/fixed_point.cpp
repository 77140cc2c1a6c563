#include "harness/execution/fixed_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

#include "harness/execution/metrics.h"
#include "harness/execution/ranks.h"
#include "results/statistics.h"

namespace harness {
namespace {

using results::attempt_record;
using results::attempt_status;
using std::chrono::steady_clock;

// Above this share of the step, lateness of the paced link makes a point noisy.
constexpr double link_late_limit = 0.02;

// Everything sampled step by step.
struct step_samples {
  rank_figures own;  // of this rank
  std::vector<double> exposed_us_per_layer, link_gb_per_s;
  std::map<std::string, std::vector<double>> op_us;
  std::vector<results::timeline> timelines;
  double harness_us = 0;  // between steps
  double step_us = 0;

  // When its operations ran. A device that times a step as a whole tells that of other steps than it samples.
  void add_operations(const ess::step_report& r, const ess::model_dims& model) {
    if (r.timing.operations.empty()) return;
    timelines.push_back(timeline_of(*r.program, r.timing));
    const results::timeline& step = timelines.back();
    for (const auto& [kind, us] : results::time_by_kind_us(step)) op_us[kind].push_back(us);
    exposed_us_per_layer.push_back(results::exposed_transfer_us(step) / model.layers);
    own.exposed_us.push_back(results::exposed_exchange_us(step));
    const double rows = static_cast<double>(r.rows.rows_in + r.rows.ahead_in + r.rows.rows_out);
    const double busy = results::link_busy_us(step);
    if (busy > 0)
      link_gb_per_s.push_back(rows * static_cast<double>(model.latent_row_bytes().value) / busy * 1e-3);
  }

  void add(const ess::step_report& r, const ess::model_dims& model) {
    step_us += r.timing.total.count();
    own.add(r);
    add_operations(r, model);
  }
};

void put(attempt_record& out, const std::string& name, std::span<const double> samples, const char* unit) {
  if (!samples.empty()) out.metrics[name] = results::summarise(samples, unit);
}

// Counts of all ranks together.
void put_rows(const planned_point& plan, const rank_figures& all, attempt_record& out) {
  const double row = static_cast<double>(plan.model.latent_row_bytes().value);
  const double requests = static_cast<double>(plan.batch) * plan.ranks;
  const double lists = requests * plan.model.layers;  // of rows that were asked for
  const auto put_each = [&](const char* name, const char* unit, const auto& value) {
    std::vector<double> values;
    for (const ess::row_totals& r : all.rows) values.push_back(value(r));
    put(out, name, values, unit);
  };
  const auto as_double = [](std::int64_t rows) { return static_cast<double>(rows); };
  put_each("h2d_bytes_per_step", "B",
           [&](const ess::row_totals& r) { return as_double(r.rows_in + r.ahead_in) * row; });
  put_each("d2h_bytes_per_step", "B", [&](const ess::row_totals& r) { return as_double(r.rows_out) * row; });
  put(out, "step_overlap", all.overlap, "");
  if (plan.point.requested.mtp > 1) {
    std::vector<double> kept;
    for (const std::int32_t tokens : all.tokens) kept.push_back(tokens / requests);
    put(out, "tokens_kept_per_step", kept, "tokens");
  }
  // Streaming a layer brings rows without asking which: nothing hits or misses.
  if (plan.system->addressing() == ess::row_addressing::by_location ||
      plan.system->home() == ess::latent_home::device) {
    put_each("hit_rate", "",
             [&](const ess::row_totals& r) { return as_double(r.hits) / as_double(r.asked); });
    if (plan.model.top_k > 0) {
      put_each("misses_over_topk", "",
               [&](const ess::row_totals& r) { return as_double(r.misses) / lists / plan.model.top_k; });
    }
    put_each("misses_per_layer_step", "rows",
             [&](const ess::row_totals& r) { return as_double(r.misses) / lists; });
  }
  if (plan.system->prefetch_rows() > 0) {
    put_each("prefetched_per_layer_step", "rows",
             [&](const ess::row_totals& r) { return as_double(r.ahead_in) / lists; });
    put_each("prefetch_useful_per_layer_step", "rows",
             [&](const ess::row_totals& r) { return as_double(r.ahead_used) / lists; });
    put_each("prefetch_wasted_per_layer_step", "rows",
             [&](const ess::row_totals& r) { return as_double(r.ahead_lost) / lists; });
  }
}

// Each scoring reads the keys of all tokens of a request, once for its query tokens together.
void put_index_key_rate(const planned_point& plan, const step_samples& s, attempt_record& out) {
  const auto scoring = s.op_us.find("score_keys");
  if (scoring == s.op_us.end() || plan.simulated != nullptr) return;
  const double bytes = static_cast<double>(plan.model.index_key_bytes().value) * plan.model.layers *
                       plan.batch * static_cast<double>(plan.point.requested.context_tokens);
  std::vector<double> rates;
  for (const double us : scoring->second) rates.push_back(bytes / us * 1e-3);
  put(out, "index_keys_gb_per_s", rates, "GB/s");
}

// Steps are those of the slowest rank, tokens those of one rank; times of operations are the first rank's.
void put_times(const planned_point& plan, const stopping_rule& rule, const step_samples& s,
               const rank_figures& all, attempt_record& out) {
  std::vector<double> step(rule.samples().begin(), rule.samples().end());
  // The mean of all samples for each: acceptance is drawn, and no property of the system.
  const double requests = static_cast<double>(plan.batch) * plan.ranks;
  const double kept = plan.simulated != nullptr  // all ranks of a cluster have the mean
                          ? plan.point.requested.mtp_accept
                          : std::accumulate(all.tokens.begin(), all.tokens.end(), 0.0) / requests /
                                static_cast<double>(all.tokens.size());
  std::vector<double> tokens, per_user;
  for (const double us : step) {
    tokens.push_back(plan.batch * kept / us * 1e6);
    per_user.push_back(kept / us * 1e6);
  }
  put(out, "step_time_us", step, "us");
  put(out, "tokens_per_s", tokens, "tok/s");
  out.samples["tokens_per_s"] = tokens;
  put(out, "tokens_per_s_per_user", per_user, "tok/s");
  if (plan.ranks > 1) {
    std::vector<double> of_all = tokens;
    for (double& of_rank : of_all) of_rank *= plan.ranks;
    put(out, "tokens_per_s_all_ranks", of_all, "tok/s");
  }
  if (plan.simulated != nullptr) {
    std::ranges::transform(tokens, tokens.begin(), [&](double of_rank) {
      return of_rank * plan.simulated->profile->hardware.gpus_per_node.value;
    });
    put(out, "tokens_per_s_per_node", tokens, "tok/s");
  }
  put(out, "exposed_transfer_us_per_layer", s.exposed_us_per_layer, "us");
  put(out, "link_gb_per_s", s.link_gb_per_s, "GB/s");
  if (plan.point.requested.link.paced && plan.family == device_family::cpu)
    put(out, "link_late_share", all.late_share, "");
  for (const auto& [kind, us] : s.op_us) put(out, fmt::format("op_{}_us", kind), us, "us");
  put_index_key_rate(plan, s, out);
  const auto nearest = std::ranges::min_element(
      step, {}, [&](double us) { return std::abs(us - out.metrics.at("step_time_us").median); });
  if (s.timelines.size() == step.size() && nearest != step.end()) {
    out.steps_timeline = s.timelines[static_cast<std::size_t>(nearest - step.begin())];
  } else if (!s.timelines.empty()) {
    out.steps_timeline = s.timelines.back();
  }
  if (plan.simulated == nullptr) {
    const double overhead = s.harness_us / s.step_us;
    put(out, "harness_overhead", std::span(&overhead, 1), "");
  }
  out.samples["step_time_us"] = std::move(step);
}

void judge_link(attempt_record& out) {
  const auto late = out.metrics.find("link_late_share");
  if (late == out.metrics.end() || late->second.median <= link_late_limit) return;
  out.status = attempt_status::noisy;
  out.reason = fmt::format("the paced link was late by {:.1f} % of the step; the limit is {:.0f} %",
                           100 * late->second.median, 100 * link_late_limit);
}

std::int32_t expert_layers(const ess::model_dims& model) {
  std::int32_t layers = 0;
  for (int layer = 0; layer < model.layers; ++layer) layers += model.is_moe_layer(layer) ? 1 : 0;
  return layers;
}

std::size_t most_samples(const workloads::settings& s) {
  return static_cast<std::size_t>(std::min(s.steps, s.measure.max_samples));
}

}  // namespace

stopping_options stopping_of(const workloads::settings& s) {
  return {.warmup_samples = static_cast<std::size_t>(s.measure.warmup_steps),
          .min_samples = std::min(static_cast<std::size_t>(s.measure.min_samples), most_samples(s)),
          .max_samples = most_samples(s),
          .max_time = ess::seconds(s.measure.max_seconds),
          .relative_half_width = s.measure.relative_ci};
}

// The time that the point's own turns have taken.
class turn_clock {
 public:
  void begin() { since_ = steady_clock::now(); }
  void end() {
    before_ = now();
    since_.reset();
  }
  [[nodiscard]] ess::seconds now() const {
    return since_ ? before_ + ess::seconds(steady_clock::now() - *since_) : before_;
  }

 private:
  ess::seconds before_{};
  std::optional<steady_clock::time_point> since_;
};

struct fixed_point::state {
  const planned_point& plan;
  const attempt_context with;
  attempt_record& out;
  const ess::memory_layout layout = plan.layout();
  std::unique_ptr<ess::device> device = allocated(plan, with, layout);
  ess::decode_engine engine{*device, *plan.system, with.shared.prefill(plan.model, settings()),
                            engine_options_of(plan, layout)};
  turn_clock clock = {};
  ess::microseconds simulated = {};  // of all steps, on a virtual clock
  // What all ranks go by: the slowest one's step and clock, and whether any was asked to stop.
  ess::seconds agreed_time = {};
  bool agreed_cancelled = false;
  stopping_rule rule{
      stopping_of(settings()),
      {.now = [this] { return agreed_time; }, .cancelled = [this] { return agreed_cancelled; }}};
  step_samples samples = {};
  std::optional<stop_reason> reason = {};
  bool checked = false;

  [[nodiscard]] const workloads::settings& settings() const { return plan.point.requested; }
  // How many steps a simulation takes must not depend on the machine that it runs on.
  [[nodiscard]] ess::seconds time_taken() const {
    return device->clock() == ess::clock_kind::virtual_clock ? ess::seconds(simulated) : clock.now();
  }

  static std::unique_ptr<ess::device> allocated(const planned_point& plan, const attempt_context& with,
                                                const ess::memory_layout& layout) {
    auto device = with.shared.make_device(plan);
    device->allocate(layout, static_cast<std::uint64_t>(plan.point.requested.seed));
    return device;
  }

  std::vector<ess::request> requests = {};

  // Every rank has requests of its own.
  void admit() {
    const std::int32_t first = with.ranks.rank() * plan.batch;
    for (std::int32_t i = 0; i < plan.batch; ++i) {
      requests.push_back({first + i, settings().context_tokens, most_tokens(settings())});
    }
    engine.admit_batch(requests);
    note_layerwise(plan, engine, out);
  }

  void note_outputs() {
    if (settings().accuracy.steps == 0 || !device->has_values()) return;
    const std::string digest = digest_of_outputs(with.ranks, *device, layout, requests);
    out.events.push_back(
        {.at = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()),
         .kind = "outputs",
         .detail = fmt::format("SHA-256 {} of {} requests after {} checked steps", digest,
                               plan.batch * with.ranks.ranks(), settings().accuracy.steps)});
  }

  ess::microseconds agree(ess::microseconds step) {
    const std::array<double, 3> here = {step.count(), time_taken().count(), with.cancelled() ? 1.0 : 0.0};
    const std::vector<double> all = ess::largest(with.ranks, here);
    agreed_time = ess::seconds(all[1]);
    agreed_cancelled = all[2] > 0;
    return ess::microseconds(all[0]);
  }

  // Returns whether the step was a sample, not a warm-up.
  bool step() {
    const auto before = steady_clock::now();
    const bool warm = !rule.warming_up();
    const ess::step_report report = engine.step();
    simulated += report.timing.total;
    rule.add(agree(report.timing.total));
    if (warm) samples.add(report, plan.model);
    if (!warm && !report.timing.is_sample) samples.add_operations(report, plan.model);
    with.report.update(
        {.phase = warm ? "measuring" : "warm-up",
         .samples = rule.samples().size(),
         .median = rule.median(),
         .done = static_cast<double>(rule.samples().size()) / static_cast<double>(most_samples(settings()))});
    reason = rule.stop();
    if (warm) {
      samples.harness_us +=
          ess::microseconds(steady_clock::now() - before).count() - report.timing.total.count();
    }
    return warm;
  }
};

fixed_point::fixed_point(const planned_point& plan, const attempt_context& with, attempt_record& out) {
  with.report.update({.phase = "set-up"});
  state_.reset(new state{.plan = plan, .with = with, .out = out});
  state_->admit();
}

fixed_point::~fixed_point() = default;

void fixed_point::check() {
  state& s = *state_;
  const bool right = check_first(s.plan, s.with, *s.device, s.engine, s.layout, s.requests, s.out);
  const part_end end = agree(s.with.ranks, {.status = s.out.status, .reason = s.out.reason});
  if (!right || end.status != attempt_status::ok) {
    s.out.status = end.status;
    s.out.reason = end.reason;
    return;
  }
  s.note_outputs();
  s.checked = true;
}

bool fixed_point::wants_more() const { return state_->checked && !state_->reason; }

void fixed_point::take_turn() {
  constexpr std::size_t turns = 4;
  const std::size_t wanted = (stopping_of(state_->settings()).min_samples + turns - 1) / turns;
  state_->clock.begin();
  for (std::size_t taken = 0; taken < std::max<std::size_t>(wanted, 1) && wants_more();) {
    taken += state_->step() ? 1 : 0;
  }
  state_->clock.end();
}

void fixed_point::finish() {
  if (!state_->checked) return;
  attempt_record& out = state_->out;
  const stop_reason reason = state_->reason.value_or(stop_reason::cancelled);
  out.stop_reason = to_string(reason);
  if (reason == stop_reason::cancelled) {
    out.status = attempt_status::cancelled;
    out.reason = "interrupted";
    return;
  }
  const std::vector<rank_figures> by_rank = gather(state_->with.ranks, state_->samples.own);
  const rank_figures all = together(by_rank);
  put_rows(state_->plan, all, out);
  if (state_->plan.system->addressing() == ess::row_addressing::by_location) put_series(state_->engine, out);
  put_times(state_->plan, state_->rule, state_->samples, all, out);
  put_ranks(by_rank, expert_layers(state_->plan.model), out);
  for (const auto& [name, value] : state_->device->notes()) put(out, name, std::span(&value, 1), "");
  judge_link(out);
}

}  // namespace harness
