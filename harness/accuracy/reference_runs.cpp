#include "harness/accuracy/reference_runs.h"

#include <algorithm>

#include "baselines/systems.h"
#include "ess_core/engine/capacity.h"

namespace harness {
namespace {

bool same_request(const ess::request& a, const ess::request& b) {
  return a.id == b.id && a.prompt_tokens == b.prompt_tokens && a.output_tokens == b.output_tokens;
}

bool same(const reference_batch& a, const reference_batch& b) {
  return a.seed == b.seed && a.query_tokens == b.query_tokens && a.mean_kept == b.mean_kept &&
         a.steps == b.steps && a.distinct_prompts == b.distinct_prompts && a.model == b.model &&
         std::ranges::equal(a.requests, b.requests, same_request);
}

std::int64_t bytes_of(const reference_run& run) {
  std::size_t bytes = 0;
  for (const batch_record& step : run) {
    bytes += step.hidden.size() * sizeof(float) + step.selected.size() * sizeof(ess::token_id);
  }
  return static_cast<std::int64_t>(bytes);
}

reference_run make_run(const reference_batch& batch, ess::prefill_source& prefill,
                       const device_factory& make_device) {
  const auto system = ess::make_system("all_gpu", {});
  ess::token_id longest = 0;
  for (const ess::request& r : batch.requests) longest = std::max(longest, r.final_tokens());
  const auto count = static_cast<std::int32_t>(batch.requests.size());
  const ess::memory_layout layout =
      ess::make_layout({.model = batch.model, .query_tokens = batch.query_tokens, .final_tokens = longest},
                       *system, count, count);
  const auto device = make_device();
  device->allocate(layout, batch.seed);
  ess::decode_engine engine(*device, *system, prefill,
                            {.layout = layout, .seed = batch.seed, .mean_kept = batch.mean_kept});
  engine.admit_batch(batch.requests);
  reference_run run;
  for (std::int32_t step = 0; step < batch.steps; ++step) {
    (void)engine.step([](const ess::operation&) {});  // not a measurement
    run.push_back(record_batch(*device, layout, engine.seats()));
  }
  return run;
}

}  // namespace

ess::byte_count reference_runs::kept() const {
  ess::byte_count sum;
  for (const entry& e : entries_) sum.value += bytes_of(*e.run);
  return sum;
}

std::shared_ptr<const reference_run> reference_runs::get(const reference_batch& batch,
                                                         ess::prefill_source& prefill,
                                                         const device_factory& make_device) {
  const auto found = std::ranges::find_if(entries_, [&](const entry& e) { return same(e.batch, batch); });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return entries_.front().run;
  }
  auto run = std::make_shared<const reference_run>(make_run(batch, prefill, make_device));
  entries_.push_front({batch, run});
  while (kept() > budget_) entries_.pop_back();
  return run;
}

}  // namespace harness
