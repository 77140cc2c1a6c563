#include "harness/validation/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <stdexcept>

#include "harness/execution/run.h"
#include "results/gain.h"
#include "workloads/catalog.h"

namespace harness {
namespace {

constexpr std::array cases = {
    validation_case{"paper_32k", "sim:h200_ep32"},
    validation_case{"paper_32k", "sim:h200_ep32", "simulation.key_reads=once_a_query_token"},
    validation_case{"paper_128k", "sim:h200_ep32"},
    validation_case{"paper_128k", "sim:h200_ep32", "two_batch_overlap=true"},
    validation_case{"dense_h800", "sim:h800_ep128"},
};

// A database that goes when the figures have been read.
class scratch_store {
 public:
  scratch_store()
      : file_(std::filesystem::temp_directory_path() / ("essbench_" + results::new_run_id() + ".db")) {}
  ~scratch_store() {
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm", "-claims"}) {
      std::filesystem::remove(file_.string() + suffix, ignored);
    }
  }
  scratch_store(const scratch_store&) = delete;
  scratch_store& operator=(const scratch_store&) = delete;

  results::loaded_run run(const workloads::workload& workload, const target& on) {
    results::store store = results::store::open(file_);
    const run_outcome outcome = run_workload(
        workload, store, {.style = progress_style::silent, .command_line = "validate-sim", .on = on});
    return store.load(outcome.run_id).value();
  }

 private:
  std::filesystem::path file_;
};

workloads::workload shipped(std::string_view name, const workloads::spec_options& options) {
  const auto file = workloads::find_workload(name);
  if (!file) throw std::runtime_error(to_string(file.error()));
  auto made = workloads::load_workload(*file, options);
  if (!made) throw std::runtime_error(to_string(made.error()));
  return *std::move(made);
}

double best_gain(const results::loaded_run& run) {
  double best = 0;
  for (const results::loaded_point& point : run.points) {
    if (point.point.system != "ess") continue;
    best =
        std::max(best, results::throughput_ratio(point, results::all_gpu_reference(run, point)).value_or(0));
  }
  return best;
}

double rate_of_all_gpu(const results::loaded_run& run) {
  for (const results::loaded_point& point : run.points) {
    const auto* rate = results::find_metric(point, "tokens_per_s_per_node");
    if (point.point.label == "all_gpu" && rate != nullptr) return rate->median;
  }
  return 0;
}

double distance(double ratio) { return std::abs(ratio - 1); }

headline operator/(const headline& a, const headline& b) {
  return {a.all_gpu_32k / b.all_gpu_32k, a.gain_32k / b.gain_32k, a.gain_128k / b.gain_128k};
}

}  // namespace

std::span<const validation_case> validation_cases() { return cases; }

std::vector<published_beside> validate(const validation_case& of) {
  workloads::spec_options options;
  if (!of.set.empty()) options.set.emplace_back(of.set);
  const workloads::workload workload = shipped(of.workload, options);
  const auto on = target::parse(of.device);
  if (!on) throw std::runtime_error(to_string(on.error()));
  return beside_published(workload, scratch_store().run(workload, *on));
}

headline quick_headline(const target& on) {
  const workloads::spec_options few{
      .set = {"steps=3", "measure.warmup_steps=0", "measure.min_samples=3", "simulation.requests=1",
              "simulation.layers=16"},
      .systems = {workloads::system_kind::all_gpu, workloads::system_kind::ess}};
  const results::loaded_run at_32k = scratch_store().run(shipped("paper_32k", few), on);
  const results::loaded_run at_128k = scratch_store().run(shipped("paper_128k", few), on);
  return {rate_of_all_gpu(at_32k), best_gain(at_32k), best_gain(at_128k)};
}

double sensitivity::largest() const {
  return std::max({distance(ratio.all_gpu_32k), distance(ratio.gain_32k), distance(ratio.gain_128k)});
}

std::vector<sensitivity> sensitivities(const workloads::hardware_profile& profile, double factor,
                                       const std::function<void(std::string_view)>& progress) {
  const headline unchanged = quick_headline(target(profile));
  std::vector<sensitivity> out;
  const auto with = [&](std::string_view name, ess::sim::evidence level, const auto& change) {
    progress(name);
    workloads::hardware_profile changed = profile;
    change(changed.hardware);
    out.push_back({std::string(name), std::string(to_string(level)),
                   quick_headline(target(std::move(changed))) / unchanged});
  };
  for (const ess::sim::figure_field& field : ess::sim::figure_fields()) {
    const ess::sim::figure& figure = profile.hardware.*field.member;
    if (figure.value == 0 || field.member == &ess::sim::hardware::gpus_per_node) continue;  // a unit
    with(field.name, figure.level, [&](ess::sim::hardware& hw) { (hw.*field.member).value *= factor; });
  }
  for (const ess::sim::table_field& field : ess::sim::table_fields()) {
    const ess::sim::cost_table& table = profile.hardware.*field.member;
    if (table.empty()) continue;
    with(field.name, table.level(), [&](ess::sim::hardware& hw) { hw.*field.member = table.scaled(factor); });
  }
  std::ranges::stable_sort(out, std::greater{}, &sensitivity::largest);
  return out;
}

}  // namespace harness
