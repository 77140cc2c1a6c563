// A batch on a device, ready to be checked, and a device that can be made to err.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "baselines/systems.h"
#include "ess_core/device/tests/tested_devices.h"
#include "ess_core/engine/capacity.h"
#include "ess_core/model/presets.h"
#include "harness/accuracy/accuracy.h"

namespace harness {

// Forwards to another device and lets a test meddle with its memory.
class meddled_device final : public ess::device {
 public:
  explicit meddled_device(std::unique_ptr<ess::device> on) : on_(std::move(on)) {}

  std::function<void(ess::device&, int run)> before_run;  // run: counted from 0 since `arm`
  std::function<void(ess::device&, int run, const ess::operation&)> after_operation;
  std::function<void(ess::buffer_id, std::vector<std::byte>&)> on_write;
  void arm() { run_ = 0; }  // once warm-up is over

  [[nodiscard]] std::string_view name() const override { return on_->name(); }
  [[nodiscard]] ess::clock_kind clock() const override { return on_->clock(); }
  void allocate(const ess::memory_layout& layout, std::uint64_t seed) override {
    on_->allocate(layout, seed);
  }
  void write(ess::buffer_id buffer, std::int64_t offset, std::span<const std::byte> bytes) override {
    std::vector<std::byte> copy(bytes.begin(), bytes.end());
    if (run_ >= 0 && on_write) on_write(buffer, copy);
    on_->write(buffer, offset, copy);
  }
  void read(ess::buffer_id buffer, std::int64_t offset, std::span<std::byte> bytes) const override {
    on_->read(buffer, offset, bytes);
  }
  void reset_pool(const ess::seat_state& seat) override { on_->reset_pool(seat); }
  ess::step_timing run(const ess::step_program& program, const probe& after) override {
    if (run_ < 0) return on_->run(program, after);
    const int now = run_++;
    if (before_run) before_run(*on_, now);
    return on_->run(program, [&, now](const ess::operation& op) {
      if (after_operation) after_operation(*on_, now, op);
      if (after) after(op);
    });
  }

 private:
  std::unique_ptr<ess::device> on_;
  int run_ = -1;
};

struct scenario {
  std::string_view model = "tiny";
  std::string_view system = "ess";
  ess::overlap_kind overlap = ess::overlap_kind::none;
  ess::ess_options ess = {.sparse_ratio = 0.25};
  std::int32_t batch = 3;
  ess::token_id prompt = 300;
  std::int32_t pitch = 0;
  std::int32_t query_tokens = 1;
  double mean_kept = 1.0;
  accuracy_options options = {.steps = 3, .requests = 3, .layers = 4, .seed = 1};
  std::uint64_t reference_seed = 3;  // what the check believes; the device has 3
  ess::test::tested_device on = ess::test::tested_device::cpu;
};

struct checked_batch {
  static ess::model_dims model_of(const scenario& s) {
    const ess::model_dims model = ess::find_model_preset(s.model).value();
    return s.query_tokens > 1 ? ess::with_draft_layers(model) : model;
  }

  explicit checked_batch(const scenario& what)
      : s(what), model(model_of(what)), system(ess::make_system(what.system, what.ess)) {
    const ess::token_id decoded = 8 * s.query_tokens;
    layout = ess::make_layout({.model = model,
                               .query_tokens = s.query_tokens,
                               .final_tokens = s.prompt + decoded,
                               .shortest_tokens = s.prompt - 7 * s.batch,
                               .host_row_pitch = s.pitch},
                              *system, s.batch, s.batch);
    device.allocate(layout, 3);
    overlap = ess::effective_overlap(*system, s.overlap);
    engine = std::make_unique<ess::decode_engine>(
        device, *system, prefill,
        ess::engine_options{.layout = layout, .seed = 3, .overlap = overlap, .mean_kept = s.mean_kept});
    for (std::int32_t i = 0; i < s.batch; ++i) requests.push_back({i, s.prompt - 7 * i, decoded});
    engine->admit_batch(requests);
    device.arm();
  }

  accuracy_report check() { return check(prefill, requests); }
  accuracy_report check(ess::prefill_source& believed, const std::vector<ess::request>& believed_requests) {
    return check_accuracy({.device = device,
                           .engine = *engine,
                           .system = *system,
                           .overlap = overlap,
                           .mean_kept = s.mean_kept,
                           .layout = layout,
                           .prefill = believed,
                           .seed = s.reference_seed,
                           .requests = believed_requests,
                           .options = s.options,
                           .all_gpu = [this] { return ess::test::make_tested(s.on); },
                           .runs = runs,
                           .matrices = matrices});
  }

  scenario s;
  ess::model_dims model;
  std::unique_ptr<ess::cache_system> system;
  meddled_device device{ess::test::make_tested(s.on)};
  ess::memory_layout layout;
  ess::overlap_kind overlap = ess::overlap_kind::none;
  ess::prefill_source prefill{model, 3};
  std::unique_ptr<ess::decode_engine> engine;
  std::vector<ess::request> requests;
  reference_runs runs;
  matrix_cache matrices;
};

}  // namespace harness
