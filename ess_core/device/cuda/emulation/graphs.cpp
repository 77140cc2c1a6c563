#include "ess_core/device/cuda/emulation/graphs.h"

#include <algorithm>

#include "ess_core/device/cuda/emulation/block.h"
#include "ess_core/device/cuda/emulation/runtime.h"

namespace ess::emulation {
namespace {

struct graph_registry {
  std::vector<std::shared_ptr<graph>> graphs;
  std::vector<std::shared_ptr<executable_graph>> executables;
};
graph_registry& all() {
  static auto& r = *new graph_registry;
  return r;
}

template <class T>
std::shared_ptr<T> find(const std::vector<std::shared_ptr<T>>& in, const T* p) {
  const auto found = std::find_if(in.begin(), in.end(), [&](const auto& each) { return each.get() == p; });
  return found == in.end() ? nullptr : *found;
}

template <class T>
cudaError_t destroy(std::vector<std::shared_ptr<T>>& in, const T* p) {
  return std::erase_if(in, [&](const auto& each) { return each.get() == p; }) == 0 ? cudaErrorInvalidValue
                                                                                   : cudaSuccess;
}

cudaError_t add_node(stream& s, std::function<void()> work) {
  capture& c = *s.capturing;
  if (c.invalid) return cudaErrorStreamCaptureInvalidated;
  c.work.nodes.push_back({std::move(work), std::move(s.captured_after)});
  s.captured_after = {static_cast<int>(c.work.nodes.size()) - 1};
  return cudaSuccess;
}

cudaError_t spoil(capture& c, cudaError_t e) {
  c.invalid = true;
  return e;
}

// Which nodes the origin's last ones follow: what joined it.
std::vector<bool> nodes_joined(const captured_work& work, std::vector<int> open) {
  std::vector<bool> joined(work.nodes.size(), false);
  while (!open.empty()) {
    const auto node = static_cast<std::size_t>(open.back());
    open.pop_back();
    if (joined[node]) continue;
    joined[node] = true;
    open.insert(open.end(), work.nodes[node].after.begin(), work.nodes[node].after.end());
  }
  return joined;
}

// An order that the graph allows: as captured; with lazy streams the last captured of those possible, with a
// seed any.
void run_nodes(const captured_work& work) {
  const settings& set = stand_in_settings();
  std::uint64_t random = set.seed.value_or(0) * 2 + 1;
  std::vector<bool> done(work.nodes.size(), false);
  for (std::size_t left = work.nodes.size(); left != 0 && sticky_error() == cudaSuccess; --left) {
    std::vector<std::size_t> possible;
    for (std::size_t i = 0; i < work.nodes.size(); ++i) {
      const auto& after = work.nodes[i].after;
      const bool waits =
          std::any_of(after.begin(), after.end(), [&](int n) { return !done[static_cast<std::size_t>(n)]; });
      if (!done[i] && !waits) possible.push_back(i);
      if (!possible.empty() && !set.lazy_streams && !set.seed) break;
    }
    const std::size_t next = set.seed           ? possible[next_random(random) % possible.size()]
                             : set.lazy_streams ? possible.back()
                                                : possible.front();
    if (work.nodes[next].work) work.nodes[next].work();
    done[next] = true;
  }
}

void end_capture(const std::shared_ptr<capture>& c) {
  for (const auto& s : all_streams()) {
    if (s->capturing != c) continue;
    s->capturing = nullptr;
    s->captured_after.clear();
  }
}

cudaError_t finish_capture(const stream& origin, const std::shared_ptr<capture>& c, cudaGraph_t* g) {
  if (c->invalid) return cudaErrorStreamCaptureInvalidated;
  const std::vector<bool> joined = nodes_joined(c->work, origin.captured_after);
  if (std::find(joined.begin(), joined.end(), false) != joined.end()) return cudaErrorStreamCaptureUnjoined;
  all().graphs.push_back(std::make_shared<graph>(graph{std::make_shared<captured_work>(c->work)}));
  *g = all().graphs.back().get();
  return cudaSuccess;
}

}  // namespace

cudaError_t refuse_while_capturing() {
  bool refused = false;
  for (const auto& s : all_streams()) {
    if (s->capturing == nullptr || s->capturing->mode == cudaStreamCaptureModeRelaxed) continue;
    const bool own = s->capturing->by == std::this_thread::get_id();
    if (!own && s->capturing->mode == cudaStreamCaptureModeThreadLocal) continue;
    s->capturing->invalid = refused = true;
  }
  return refused ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

cudaError_t refuse_null_stream() {
  for (const auto& s : all_streams()) {
    if (s->capturing != nullptr && s->blocking) return spoil(*s->capturing, cudaErrorStreamCaptureImplicit);
  }
  return cudaSuccess;
}

cudaError_t capture_work(stream& s, std::function<void()> work) { return add_node(s, std::move(work)); }

cudaError_t capture_record(stream& s, const std::shared_ptr<event>& e, std::function<void()> reach,
                           record_kind kind) {
  if (s.capturing->invalid) return cudaErrorStreamCaptureInvalidated;
  if (kind == record_kind::external) {
    s.capturing->work.events.push_back(e);
    return add_node(s, std::move(reach));
  }
  e->captured_in = s.capturing;
  e->captured_after = s.captured_after;
  return cudaSuccess;
}

cudaError_t capture_wait(const std::shared_ptr<stream>& s, const event& e) {
  const bool over = e.captured_in != nullptr && e.captured_in->origin->capturing != e.captured_in;
  if (e.captured_in == nullptr || over) {
    return s->capturing != nullptr ? spoil(*s->capturing, cudaErrorStreamCaptureIsolation)
                                   : cudaErrorCapturedEvent;
  }
  if (s->capturing != nullptr && s->capturing != e.captured_in)
    return spoil(*s->capturing, cudaErrorStreamCaptureMerge);
  if (s == find_stream(nullptr)) return spoil(*e.captured_in, cudaErrorStreamCaptureImplicit);
  s->capturing = e.captured_in;
  s->captured_after.insert(s->captured_after.end(), e.captured_after.begin(), e.captured_after.end());
  return cudaSuccess;
}

void abandon_capture(stream& s) {
  if (s.capturing != nullptr && s.capturing->origin == &s) end_capture(s.capturing);
  if (s.capturing != nullptr) s.capturing->invalid = true;
}

void count_graphs(live_objects& live) {
  live.graphs = static_cast<int>(all().graphs.size());
  live.executable_graphs = static_cast<int>(all().executables.size());
}

cudaError_t cudaStreamBeginCapture(cudaStream_t which, cudaStreamCaptureMode mode) {
  return answer(call::graph, capture_rule::allowed, [&] {
    const auto s = find_stream(which);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    if (which == nullptr) return cudaErrorStreamCaptureUnsupported;
    if (s->capturing != nullptr) return spoil(*s->capturing, cudaErrorStreamCaptureUnsupported);
    s->capturing = std::make_shared<capture>(capture{{}, s.get(), mode, std::this_thread::get_id()});
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t which, cudaGraph_t* g) {
  return answer(call::graph, capture_rule::allowed, [&] {
    const auto s = find_stream(which);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    *g = nullptr;
    const auto c = s->capturing;
    if (c == nullptr) return cudaErrorInvalidValue;
    if (c->origin != s.get()) return spoil(*c, cudaErrorStreamCaptureUnmatched);
    if (c->mode != cudaStreamCaptureModeRelaxed && c->by != std::this_thread::get_id()) {
      return cudaErrorStreamCaptureWrongThread;
    }
    const cudaError_t e = finish_capture(*s, c, g);
    end_capture(c);
    return e;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t which, cudaStreamCaptureStatus* status) {
  return answer(call::other, capture_rule::allowed, [&] {
    const auto s = find_stream(which);
    if (s == nullptr) return cudaErrorInvalidResourceHandle;
    *status = s->capturing == nullptr ? cudaStreamCaptureStatusNone
              : s->capturing->invalid ? cudaStreamCaptureStatusInvalidated
                                      : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* e, cudaGraph_t which, unsigned long long) {
  return answer(call::graph, capture_rule::allowed, [&] {
    const auto g = find(all().graphs, which);
    if (g == nullptr || e == nullptr) return cudaErrorInvalidValue;
    all().executables.push_back(std::make_shared<executable_graph>(executable_graph{g->work}));
    *e = all().executables.back().get();
    return cudaSuccess;
  });
}

// There is nothing to bring anywhere.
cudaError_t cudaGraphUpload(cudaGraphExec_t which, cudaStream_t on) {
  return answer(call::graph, capture_rule::allowed, [&] {
    const bool known = find(all().executables, which) != nullptr && find_stream(on) != nullptr;
    return known ? cudaSuccess : cudaErrorInvalidValue;
  });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t which, cudaStream_t on) {
  return answer(call::launch, capture_rule::allowed, [&] {
    const auto g = find(all().executables, which);
    const auto s = find_stream(on);
    if (g == nullptr || s == nullptr) return cudaErrorInvalidValue;
    const auto work = g->work;
    if (s->capturing == nullptr) {
      for (const auto& e : work->events) {
        e->captured_in = nullptr;
        e->recorded = {s, s->enqueued + 1};
      }
    }
    return enqueue(on, [work] { run_nodes(*work); });
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t g) {
  return clean_up([&] { return destroy(all().graphs, g); });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e) {
  return clean_up([&] {
    wait_for_device();
    return destroy(all().executables, e);
  });
}

}  // namespace ess::emulation
