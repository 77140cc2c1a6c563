#include "ess_core/device/cuda/step_runner.h"

#include <algorithm>
#include <span>

#include "ess_core/nvtx/nvtx.h"

namespace ess::ESS_CUDA {

bool is_capturable(const step_program& program) {
  return !has_work_on(program, stream_id::network) &&
         std::ranges::none_of(program.operations, [](const operation& op) {
           return op.kind == op_kind::read_back || op.kind == op_kind::fetch_by_call ||
                  op.kind == op_kind::stream_layer || op.kind == op_kind::store_landed;
         });
}

step_runner::step_runner(bool graphs, int profiled_runs)
    : graphs_(graphs), profiled_runs_(profiled_runs), streams_(stream_count) {}

void step_runner::make_events(std::size_t operations) {
  timed_.resize(std::max(timed_.size(), operations));
  while (done_.size() < operations) done_.emplace_back(event::timing::off);
}

// Streams begin together and end together, whatever the program has on them.
void step_runner::enqueue(context& c, const step_program& program, bool timed) {
  const stream& compute = streams_[0];
  const std::span<const stream> others =
      std::span(streams_).subspan(1, has_work_on(program, stream_id::network) ? 2 : 1);
  const auto wait = [](const stream& who, const event& what) {
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(who.get(), what.get(), 0));
  };
  join_.record(compute);
  for (const stream& other : others) wait(other, join_);
  for (std::size_t i = 0; i < program.operations.size(); ++i) {
    const operation& op = program.operations[i];
    const stream& on = stream_of(op);
    for (const std::int32_t before : op.waits) {
      const auto at = static_cast<std::size_t>(before);
      wait(on, timed ? timed_[at].end : done_[at]);
    }
    if (timed) timed_[i].start.record(on);
    {
      const nvtx::scoped_range range(to_string(op.kind), {.layer = op.layer});
      launcher_of(op.kind)(c, op, on);
    }
    (timed ? timed_[i].end : done_[i]).record(on);
  }
  for (const stream& other : others) {
    join_.record(other);
    wait(compute, join_);
  }
}

std::vector<op_timing> step_runner::times_of(const step_program& program) const {
  std::vector<op_timing> out;
  for (std::size_t i = 0; i < program.operations.size(); ++i)
    out.push_back({timed_[i].start.since(begin_), timed_[i].end.since(begin_)});
  return out;
}

step_timing step_runner::run(context& c, const step_program& program) {
  make_events(program.operations.size());
  known_program& known = seen_[program.id];
  const bool may_capture = graphs_ && is_capturable(program);
  const bool profiled = !may_capture || known.runs < profiled_runs_;
  ++known.runs;
  if (!profiled && !known.captured) known.captured = graph(streams_[0], [&] { enqueue(c, program, false); });
  begin_.record(streams_[0]);
  if (profiled) {
    enqueue(c, program, true);
  } else {
    known.captured.launch(streams_[0]);
  }
  end_.record(streams_[0]);
  end_.synchronize();
  step_timing out{.total = end_.since(begin_), .is_sample = !may_capture || !profiled};
  if (profiled) out.operations = times_of(program);
  return out;
}

step_timing step_runner::run(context& c, const step_program& program, const device::probe& after) {
  step_timing out{.is_sample = false};
  for (const operation& op : program.operations) {
    launcher_of(op.kind)(c, op, stream_of(op));
    stream_of(op).synchronize();
    after(op);
    out.operations.push_back({});
  }
  return out;
}

}  // namespace ess::ESS_CUDA
