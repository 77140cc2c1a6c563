#include "harness/execution/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>

#include "ess_core/device/cpu/kernels/fma_rate.h"
#include "ess_core/device/cpu/kernels/gemm.h"
#include "ess_core/device/cpu/kernels/simd_target.h"
#include "ess_core/nvtx/nvtx.h"
#include "harness/environment/environment.h"
#include "harness/environment/host_info.h"
#include "harness/environment/rank_place.h"
#include "harness/execution/alternation.h"
#include "harness/execution/fixed_point.h"
#include "results/run_claim.h"
#include "results/statistics.h"

namespace harness {
namespace {

using results::attempt_record;
using results::attempt_status;

results::utc_time now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// The point whose step is the yardstick of the link: all_gpu, no budget, at ESS's largest batch.
bool is_yardstick(const workloads::point& point) {
  const workloads::settings& s = point.requested;
  return s.system == workloads::system_kind::all_gpu && s.device_budget_bytes == 0 &&
         std::holds_alternative<workloads::max_batch_of>(s.batch);
}

std::string range_name(const planned_point& plan) { return "point " + plan.point.label; }

attempt_status status_of(plan_verdict verdict) {
  return verdict == plan_verdict::out_of_memory ? attempt_status::out_of_memory : attempt_status::unsupported;
}

class workload_run {
 public:
  workload_run(const workloads::workload& workload, results::store* store, ess::communicator& ranks,
               const run_options& options)
      : workload_(workload),
        store_(store),
        ranks_(ranks),
        options_(options),
        cancel_(options.cancel != nullptr ? *options.cancel : own_cancel_.emplace()),
        plans_(plan_workload(workload, options.on)) {
    // The yardstick first: what follows is told the proportion of its link to it.
    std::stable_partition(plans_.begin(), plans_.end(),
                          [](const planned_point& p) { return is_yardstick(p.point); });
  }

  run_outcome run() {
    begin();
    const std::vector<const planned_point*> left = points_left();
    progress report({.style = options_.style, .points = left.size()});
    for (std::span rest(left); !rest.empty() && !must_stop();) {
      const std::size_t count = points_together(rest, memory_for_points());
      run_together(rest.first(count), report);
      rest = rest.subspan(count);
    }
    outcome_.cancelled = cancelled_ || !outcome_.ranks_lost.empty();
    judge();
    return std::move(outcome_);
  }

 private:
  // Whether any rank was asked to stop, or they can no longer agree. Collective.
  bool must_stop() {
    if (!outcome_.ranks_lost.empty() || cancelled_) return true;
    try {
      cancelled_ = ess::any(ranks_, cancel_.requested());
    } catch (const ess::rank_failure& e) {
      outcome_.ranks_lost = e.what();
    }
    return cancelled_ || !outcome_.ranks_lost.empty();
  }

  // Points that this run has to try: what the first rank's store says is done is left out. Collective.
  std::vector<const planned_point*> points_left() {
    std::string marks(plans_.size(), '.');
    if (store_ != nullptr) {
      const auto done = store_->finished_points(outcome_.run_id);
      const std::vector<int> shards = shards_of(plans_, options_.part.of);
      for (std::size_t i = 0; i < plans_.size(); ++i) {
        if (shards[i] != options_.part.index || done.contains(record_of(plans_[i]).identity)) marks[i] = 'x';
      }
    }
    const std::string agreed = ranks_.gather(marks).front();
    std::vector<const planned_point*> left;
    for (std::size_t i = 0; i < plans_.size(); ++i)
      if (agreed[i] == '.') left.push_back(&plans_[i]);
    return left;
  }

  void begin() {
    std::vector<std::string> places;
    if (ranks_.ranks() > 1) places = ranks_.gather(describe_rank(options_.on, ranks_.local_rank()).dump());
    if (store_ == nullptr) return;
    if (options_.mode == resume_mode::resume) {
      if (const auto id = run_to_resume()) {
        outcome_.run_id = *id;
        claim_.emplace(store_->file(), *id);
        store_->resume_run(*id, {.at = now(), .kind = "resumed", .detail = options_.command_line});
      }
    }
    if (outcome_.run_id.empty()) {
      results::environment machine_now = describe(options_.on);
      if (!places.empty()) {
        machine_now["communicator"] = ranks_.name();
        for (const std::string& place : places) machine_now["ranks"].push_back(nlohmann::json::parse(place));
      }
      results::run_record record = run_record_of(workload_.name, options_.command_line, machine_now);
      record.id = options_.run_id.empty() ? results::new_run_id() : options_.run_id;
      claim_.emplace(store_->file(), record.id);  // before anybody can find the run and resume it
      outcome_.run_id =
          store_->begin_run(record, machine_now, {workload_.name, workload_.hash, workload_.resolved_json});
    }
    for (const planned_point& plan : plans_) store_->register_point(outcome_.run_id, record_of(plan));
  }

  [[nodiscard]] std::optional<std::string> run_to_resume() {
    if (options_.run_id.empty()) return store_->latest_run(workload_.hash);
    const auto named = store_->load(options_.run_id, results::load_detail::without_samples);
    return named ? std::optional(named->run.id) : std::nullopt;
  }

  [[nodiscard]] results::point_record record_of(const planned_point& plan) const {
    const workloads::settings& s = plan.point.requested;
    results::point_record out{
        .label = plan.point.label,
        .system = std::string(workloads::to_string(s.system)),
        .device = options_.on.device(),
        .clock = std::string(to_string(clock_of(options_.on.family()))),
        .requested = to_flat_json(s),
        .effective = plan.batch > 0 ? to_flat_json(plan.effective(machine_.threads(s))) : to_flat_json(s)};
    out.identity = results::point_identity(out, workload_.hash);
    return out;
  }

  struct running_point {
    const planned_point& plan;
    std::size_t number;  // in the progress report
    attempt_record attempt{.started_at = now()};
    std::unique_ptr<fixed_point> fixed = nullptr;  // null: has ended
  };

  // Half of what is free, shared out among the ranks here: the references that accuracy is judged by need
  // room too. Collective: what the rank with least has.
  ess::byte_count memory_for_points() {
    const nlohmann::json memory = capture_memory(system_files());
    std::int64_t bytes = 0;
    for (const char* key : {"available_bytes", "limit_bytes"}) {
      if (!memory.at(key).is_number()) continue;
      const auto value = memory.at(key).get<std::int64_t>();
      bytes = bytes == 0 ? value : std::min(bytes, value);
    }
    const double least = -static_cast<double>(bytes / 2 / ranks_.local_ranks());
    return {static_cast<std::int64_t>(-ess::largest(ranks_, std::span(&least, 1)).front())};
  }

  void run_together(std::span<const planned_point* const> plans, progress& report) {
    std::vector<std::unique_ptr<running_point>> running;
    for (const planned_point* plan : plans) {
      if (must_stop()) break;
      auto point = start(*plan, report);
      if (point->fixed == nullptr) {
        conclude(*point, report);
      } else {
        running.push_back(std::move(point));
      }
    }
    const auto wants_more = [&](std::size_t i) {
      return running[i]->fixed != nullptr && running[i]->fixed->wants_more() && !must_stop();
    };
    take_turns(running.size(), wants_more, [&](std::size_t i) {
      const ess::nvtx::scoped_range range(range_name(running[i]->plan));
      report.return_to(running[i]->number);
      guarded_together(*running[i], [&] { running[i]->fixed->take_turn(); });
    });
    for (const auto& point : running) {
      report.return_to(point->number);
      if (point->fixed != nullptr && outcome_.ranks_lost.empty())
        guarded_together(*point, [&] { point->fixed->finish(); });
      if (point->fixed != nullptr && !outcome_.ranks_lost.empty())
        fail(point->attempt, attempt_status::cancelled, outcome_.ranks_lost);
      conclude(*point, report);
    }
  }

  // Up to where its turns begin; all of it where there are none.
  std::unique_ptr<running_point> start(const planned_point& plan, progress& report) {
    const ess::nvtx::scoped_range range(range_name(plan));
    report.begin_point(plan.point.label);
    auto point = std::make_unique<running_point>(running_point{.plan = plan, .number = ++started_});
    add_plan_metrics(plan, point->attempt);
    if (plan.verdict != plan_verdict::ok) {
      fail(point->attempt, status_of(plan.verdict), plan.reason);
      return point;
    }
    const attempt_context with{.shared = machine_,
                               .report = report,
                               .ranks = ranks_,
                               .cancel = &cancel_,
                               .workload_file = workload_.file};
    guarded(*point, [&] {
      if (plan.point.requested.kind == workloads::workload_kind::serve) {
        run_serve_point(plan, with, point->attempt);
      } else {
        point->fixed = std::make_unique<fixed_point>(plan, with, point->attempt);
      }
    });
    agree_on_set_up(*point);
    if (point->fixed != nullptr) guarded_together(*point, [&] { point->fixed->check(); });
    return point;
  }

  // A rank that could not set the point up ends it for all.
  void agree_on_set_up(running_point& point) {
    guarded_together(point, [&] {
      const part_end end = agree(ranks_, {.status = point.attempt.status, .reason = point.attempt.reason});
      if (end.status == point.attempt.status) return;
      fail(point.attempt, end.status, end.reason);
      point.fixed.reset();
    });
  }

  // As guarded, for what ranks do together: if it goes wrong on one, none can go on.
  void guarded_together(running_point& point, const std::function<void()>& part) {
    bool lost = false;
    guarded(point, [&] {
      try {
        part();
      } catch (const ess::rank_failure& e) {
        outcome_.ranks_lost = e.what();
        lost = e.why == ess::rank_failure::cause::lost;
        throw;
      } catch (const std::exception& e) {
        if (ranks_.ranks() > 1) {
          outcome_.ranks_lost = fmt::format("rank {}: {}", ranks_.rank(), e.what());
          ranks_.give_up(e.what());
        }
        throw;
      }
    });
    // A resumed run tries again what ended for the loss of a rank, and leaves what made one give up.
    if (lost) point.attempt.status = attempt_status::cancelled;
  }

  // What goes wrong in `part` ends the point, with a status and a reason.
  static void guarded(running_point& point, const std::function<void()>& part) {
    const auto end = [&](attempt_status status, std::string reason) {
      fail(point.attempt, status, std::move(reason));
      point.fixed.reset();
    };
    try {
      part();
    } catch (const ess::out_of_memory& e) {
      end(attempt_status::out_of_memory, e.what());
    } catch (const std::bad_alloc&) {
      end(attempt_status::out_of_memory, "the machine itself has no memory left");
    } catch (const ess::unsupported& e) {
      end(attempt_status::unsupported, e.what());
    } catch (const std::exception& e) {
      end(attempt_status::error, e.what());
    }
  }

  void conclude(running_point& point, progress& report) {
    attempt_record& attempt = point.attempt;
    finish(point.plan, attempt);
    report.end_point(outcome_text(attempt));
    outcome_.incorrect += attempt.status == attempt_status::incorrect ? 1 : 0;
    outcome_.failed += !results::is_measured(attempt.status) && attempt.status != attempt_status::incorrect &&
                               attempt.status != attempt_status::cancelled
                           ? 1
                           : 0;
  }

  static void fail(attempt_record& attempt, attempt_status status, std::string reason) {
    attempt.status = status;
    attempt.reason = std::move(reason);
    attempt.samples.clear();
  }

  void finish(const planned_point& plan, attempt_record& attempt) {
    add_link_proportion(plan, attempt);
    attempt.ended_at = now();
    if (store_ != nullptr) store_->record_attempt(outcome_.run_id, record_of(plan).identity, attempt);
  }

  // How long the link takes to gather one query token's rows for the yardstick's batch, over the yardstick's
  // step.
  void add_link_proportion(const planned_point& plan, attempt_record& attempt) {
    if (!results::is_measured(attempt.status)) return;
    if (is_yardstick(plan.point)) {
      yardstick_us_ = attempt.metrics.at("step_time_us").median;
      yardstick_batch_ = plan.batch;
    }
    if (!yardstick_us_ && store_ != nullptr) recall_yardstick();
    const auto& link = plan.point.requested.link;
    if (!yardstick_us_ || !link.paced || plan.family != device_family::cpu) return;
    const double bytes = static_cast<double>(plan.model.layers) * plan.model.top_k * yardstick_batch_ *
                         static_cast<double>(plan.model.latent_row_bytes().value);
    const double proportion = bytes / (link.gather_gb_per_s * 1e3) / *yardstick_us_;
    attempt.metrics["link_proportion"] = results::summarise(std::span(&proportion, 1), "");
  }

  // A resumed run has measured it before.
  void recall_yardstick() {
    const auto so_far = store_->load(outcome_.run_id);
    if (!so_far) return;
    for (const planned_point& plan : plans_) {
      if (!is_yardstick(plan.point)) continue;
      for (const results::loaded_point& point : so_far->points) {
        const results::metric_value* step = results::find_metric(point, "step_time_us");
        if (point.point.label != plan.point.label || step == nullptr) continue;
        yardstick_us_ = step->median;
        yardstick_batch_ = plan.batch;
      }
    }
  }

  static std::string outcome_text(const attempt_record& attempt) {
    if (results::is_measured(attempt.status) && attempt.metrics.contains("step_time_us")) {
      return fmt::format("{}, {:.2f} ms a step, n = {}", to_string(attempt.status),
                         attempt.metrics.at("step_time_us").median * 1e-3,
                         attempt.metrics.at("step_time_us").n);
    }
    return fmt::format("{}: {}", to_string(attempt.status), attempt.reason);
  }

  // Expectations belong to the workload as shipped; where --set changed it, they are only noted.
  void judge() {
    if (store_ == nullptr) return;
    const auto loaded = store_->load(outcome_.run_id);
    for (const workloads::expectation& e : workload_.expectations) {
      for (const planned_point& plan : plans_) {
        if (!workloads::selects(e.of, plan.point)) continue;
        for (const results::loaded_point& point : loaded->points) {
          if (point.point.label != plan.point.label) continue;
          if (const auto* metric = results::find_metric(point, e.metric))
            check(e, plan.point.label, metric->median);
        }
      }
    }
  }

  void check(const workloads::expectation& e, const std::string& label, double value) {
    if (value >= e.min.value_or(value) && value <= e.max.value_or(value)) return;
    std::string text =
        fmt::format("{}: {} is {:.4g}, expected {} to {}", label, e.metric, value,
                    e.min ? fmt::format("{:g}", *e.min) : "any", e.max ? fmt::format("{:g}", *e.max) : "any");
    const bool as_shipped =
        std::all_of(workload_.set_paths.begin(), workload_.set_paths.end(), [](const std::string& path) {
          return path.starts_with("link.") || path.starts_with("measure.") || path.starts_with("accuracy.") ||
                 path == "cpu_threads";
        });
    (as_shipped ? outcome_.unmet : outcome_.notes).push_back(std::move(text));
  }

  const workloads::workload& workload_;
  results::store* store_;
  ess::communicator& ranks_;
  const run_options& options_;
  std::optional<cancellation> own_cancel_;
  const cancellation& cancel_;
  std::vector<planned_point> plans_;
  std::optional<results::run_claim> claim_;  // on the run, for as long as this process works on it
  machine machine_{ranks_};
  run_outcome outcome_;
  bool cancelled_ = false;  // as all ranks agreed
  std::optional<double> yardstick_us_;
  std::int32_t yardstick_batch_ = 0;
  std::size_t started_ = 0;
};

}  // namespace

results::environment describe_machine() {
  results::environment out = capture_environment();
  out["gemm"] = {{"kernel", ess::cpu::gemm_kernel_name()},
                 {"gflops_one_thread", ess::cpu::measure_gemm_gflops()},
                 {"fma_gflops_one_thread", ess::cpu::measure_fma_gflops()},
                 {"simd", ess::cpu::simd_target_name()}};
  return out;
}

results::environment describe_gpu(const target& on) {
  results::environment out = capture_environment();
  const ess::cuda_gpu& gpu = *on.gpu();
  const auto version = [](int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); };
  out["gpu"] = {{"name", gpu.name},
                {"compute_capability", fmt::format("{}.{}", gpu.compute_major, gpu.compute_minor)},
                {"multiprocessors", gpu.multiprocessors},
                {"memory_bytes", gpu.memory.value},
                {"host_numa_node", gpu.numa_node},
                {"cuda_runtime", version(gpu.runtime_version)},
                {"cuda_driver", version(gpu.driver_version)},
                {"emulated", on.family() == device_family::cuda_emulated}};
  return out;
}

results::environment describe_simulation(const target& on) {
  results::environment out = capture_environment();
  out["simulated"] = {{"profile", on.profile().hardware.name}, {"sha256", on.profile().sha256}};
  return out;
}

results::environment describe_rank(const target& on, int local_rank) {
  results::environment out = capture_rank_place(system_files());
  out["gpu"] = nullptr;  // GPUs of one machine are of one kind
  if (on.gpu() != nullptr) out["gpu"] = {{"name", on.gpu()->name}, {"ordinal", local_rank}};
  return out;
}

results::environment describe(const target& on) {
  if (on.is_simulated()) return describe_simulation(on);
  return on.gpu() != nullptr ? describe_gpu(on) : describe_machine();
}

results::run_record run_record_of(std::string_view workload, const std::string& command_line,
                                  const results::environment& machine_now) {
  const auto& build = machine_now.at("build");
  return {.started_at = now(),
          .command_line = command_line,
          .workload_name = std::string(workload),
          .essbench_version = build.value("version", ""),
          .git_revision = build.value("git_revision", ""),
          .git_dirty = build.at("git_dirty").is_boolean() && build.at("git_dirty").get<bool>()};
}

run_outcome run_workload(const workloads::workload& workload, results::store& store,
                         const run_options& options) {
  const auto alone = ess::make_lone_communicator();
  return run_workload(workload, &store, *alone, options);
}

run_outcome run_workload(const workloads::workload& workload, results::store* store, ess::communicator& ranks,
                         const run_options& options) {
  return workload_run(workload, store, ranks, options).run();
}

}  // namespace harness
