#include "ess_core/device/cuda/emulation/streams.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>

#include "ess_core/device/cuda/emulation/graphs.h"
#include "ess_core/device/cuda/emulation/runtime.h"

namespace ess::emulation {
namespace {

struct registry {
  std::vector<std::shared_ptr<stream>> streams{std::make_shared<stream>()};
  std::vector<std::shared_ptr<event>> events;
  std::condition_variable idle;  // a stream finished an item
};
registry& all() {
  static auto& r = *new registry;
  return r;
}
const std::shared_ptr<stream>& null_stream() { return all().streams.front(); }

template <class T>
std::shared_ptr<T> find(const std::vector<std::shared_ptr<T>>& in, const T* p) {
  const auto found = std::find_if(in.begin(), in.end(), [&](const auto& each) { return each.get() == p; });
  return found == in.end() ? nullptr : *found;
}

bool is_done(const stream_position& p) { return p.of == nullptr || p.of->done >= p.count; }

void run_until(const stream_position& p);

void run_next(stream& s) {
  s.running = true;
  const work_item item = std::move(s.queue.front());
  s.queue.pop_front();
  for (const stream_position& before : item.after) run_until(before);
  if (sticky_error() == cudaSuccess && item.work) item.work();
  ++s.done;
  s.running = false;
  all().idle.notify_all();
}

// Only a host function lets another thread in while an item runs.
void run_until(const stream_position& p) {
  while (!is_done(p)) {
    if (!p.of->running) {
      run_next(*p.of);
      continue;
    }
    std::unique_lock lock(runtime_mutex(), std::adopt_lock);
    all().idle.wait(lock, [&] { return !p.of->running; });
    lock.release();
  }
}

void run_all(const std::shared_ptr<stream>& s) { run_until({s, s->enqueued}); }

// The legacy null stream and the blocking ones wait for each other.
void add_legacy_order(const std::shared_ptr<stream>& s, std::vector<stream_position>& after) {
  if (s != null_stream()) {
    if (s->blocking) after.push_back({null_stream(), null_stream()->enqueued});
    return;
  }
  for (const auto& other : all().streams) {
    if (other != s && other->blocking) after.push_back({other, other->enqueued});
  }
}

cudaError_t record(cudaEvent_t which, cudaStream_t on, unsigned flags) {
  const auto e = find_event(which);
  const auto s = find_stream(on);
  if (e == nullptr || s == nullptr) return cudaErrorInvalidResourceHandle;
  const auto reach = [e] { e->milliseconds = now_milliseconds(); };
  if (s->capturing != nullptr) {
    return capture_record(*s, e, reach,
                          flags == cudaEventRecordExternal ? record_kind::external : record_kind::internal);
  }
  if (s == null_stream()) {
    if (const cudaError_t refused = refuse_null_stream()) return refused;
  }
  e->captured_in = nullptr;
  e->recorded = {s, s->enqueued + 1};
  enqueue_work(s, reach);
  return cudaSuccess;
}

cudaError_t check_reached(const event& e) {
  if (e.captured_in != nullptr) return cudaErrorCapturedEvent;
  if (!e.timed || e.recorded.of == nullptr) return cudaErrorInvalidResourceHandle;
  return is_done(e.recorded) ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t progress_of(const stream_position& p) {
  if (!is_done(p) && !p.of->running) run_next(*p.of);  // who polls must see an end
  if (sticky_error() != cudaSuccess) return sticky_error();
  return is_done(p) ? cudaSuccess : cudaErrorNotReady;
}

}  // namespace

std::shared_ptr<stream> find_stream(cudaStream_t s) {
  return s == nullptr ? null_stream() : find(all().streams, s);
}
std::shared_ptr<event> find_event(cudaEvent_t e) { return find(all().events, e); }
std::vector<std::shared_ptr<stream>> all_streams() { return all().streams; }

double now_milliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

void enqueue_work(const std::shared_ptr<stream>& s, std::function<void()> work,
                  std::vector<stream_position> after) {
  add_legacy_order(s, after);
  std::erase_if(after, is_done);
  s->queue.push_back({std::move(work), std::move(after)});
  ++s->enqueued;
  if (!stand_in_settings().lazy_streams) run_all(s);
}

cudaError_t enqueue(cudaStream_t on, std::function<void()> work) {
  const auto s = find_stream(on);
  if (s == nullptr) return cudaErrorInvalidResourceHandle;
  if (s->capturing != nullptr) return capture_work(*s, std::move(work));
  if (s == null_stream()) {
    if (const cudaError_t refused = refuse_null_stream()) return refused;
  }
  enqueue_work(s, std::move(work));
  return cudaSuccess;
}

cudaError_t wait_for_stream(cudaStream_t on) {
  run_all(find_stream(on));
  return sticky_error();
}

void wait_for_device() {
  for (const auto& s : all_streams()) run_all(s);
}

void count_streams(live_objects& live) {
  live.streams = static_cast<int>(all().streams.size()) - 1;
  live.events = static_cast<int>(all().events.size());
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned flags) {
  return cudaStreamCreateWithPriority(s, flags, 0);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* s, unsigned flags, int) {
  return answer(call::stream, capture_rule::allowed, [&] {
    if (s == nullptr || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    all().streams.push_back(std::make_shared<stream>());
    *s = all().streams.back().get();
    (*s)->blocking = flags != cudaStreamNonBlocking;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t which) {
  return clean_up([&] {
    const auto s = find_stream(which);
    if (s == nullptr || s == null_stream()) return cudaErrorInvalidResourceHandle;
    abandon_capture(*s);
    run_all(s);
    std::erase(all().streams, s);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t which) {
  return answer(call::synchronize, capture_rule::forbidden, [&] {
    if (find_stream(which) == nullptr) return cudaErrorInvalidResourceHandle;
    return wait_for_stream(which);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t which) {
  return answer(call::synchronize, capture_rule::forbidden, [&] {
    const auto s = find_stream(which);
    return s == nullptr ? cudaErrorInvalidResourceHandle : progress_of({s, s->enqueued});
  });
}

cudaError_t cudaDeviceSynchronize() {
  return answer(call::synchronize, capture_rule::forbidden, [] {
    wait_for_device();
    return sticky_error();
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t which, cudaEvent_t for_event, unsigned) {
  return answer(call::other, capture_rule::allowed, [&] {
    const auto s = find_stream(which);
    const auto e = find_event(for_event);
    if (s == nullptr || e == nullptr) return cudaErrorInvalidResourceHandle;
    if (s->capturing != nullptr || e->captured_in != nullptr) return capture_wait(s, *e);
    if (e->recorded.of != nullptr) enqueue_work(s, nullptr, {e->recorded});
    return cudaSuccess;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void* user) {
  return answer(call::other, capture_rule::allowed, [&] {
    return enqueue(s, [=] {
      runtime_mutex().unlock();
      in_host_function = true;
      f(user);
      in_host_function = false;
      runtime_mutex().lock();
    });
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned flags) {
  return answer(call::event, capture_rule::allowed, [&] {
    if (e == nullptr || flags > (cudaEventBlockingSync | cudaEventDisableTiming))
      return cudaErrorInvalidValue;
    all().events.push_back(std::make_shared<event>());
    *e = all().events.back().get();
    (*e)->timed = (flags & cudaEventDisableTiming) == 0;
    return cudaSuccess;
  });
}

cudaError_t cudaEventDestroy(cudaEvent_t which) {
  return clean_up([&] {
    const auto e = find_event(which);
    if (e == nullptr) return cudaErrorInvalidResourceHandle;
    std::erase(all().events, e);
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) {
  return answer(call::other, capture_rule::allowed, [&] { return record(e, s, cudaEventRecordDefault); });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned flags) {
  return answer(call::other, capture_rule::allowed, [&] {
    return flags > cudaEventRecordExternal ? cudaErrorInvalidValue : record(e, s, flags);
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t which) {
  return answer(call::synchronize, capture_rule::forbidden, [&] {
    const auto e = find_event(which);
    if (e == nullptr) return cudaErrorInvalidResourceHandle;
    if (e->captured_in != nullptr) return cudaErrorCapturedEvent;
    run_until(e->recorded);
    return sticky_error();
  });
}

cudaError_t cudaEventQuery(cudaEvent_t which) {
  return answer(call::synchronize, capture_rule::forbidden, [&] {
    const auto e = find_event(which);
    if (e == nullptr) return cudaErrorInvalidResourceHandle;
    return e->captured_in != nullptr ? cudaErrorCapturedEvent : progress_of(e->recorded);
  });
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
  return answer(call::other, capture_rule::allowed, [&] {
    const auto a = find_event(from), b = find_event(to);
    if (a == nullptr || b == nullptr) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t e = check_reached(*a)) return e;
    if (const cudaError_t e = check_reached(*b)) return e;
    *ms = static_cast<float>(b->milliseconds - a->milliseconds);
    return cudaSuccess;
  });
}

}  // namespace ess::emulation
