// Streams and events: queues of work that run when something waits for them, or at once. All with the
// runtime's mutex held. Internal to the stand-in.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "ess_core/device/cuda/emulation/stand_in.h"

namespace ess::emulation {

struct capture;

// A place in a stream: all that was enqueued up to there.
struct stream_position {
  std::shared_ptr<stream> of;
  std::uint64_t count = 0;
};

struct work_item {
  std::function<void()> work;
  std::vector<stream_position> after;
};

struct stream {
  bool blocking = true;  // ordered with the null stream
  std::deque<work_item> queue;
  std::uint64_t enqueued = 0, done = 0;
  bool running = false;

  std::shared_ptr<capture> capturing;  // null: none
  std::vector<int> captured_after;     // nodes that the next captured work follows
};

struct event {
  bool timed = true;
  stream_position recorded;  // .of is null before the first record
  double milliseconds = 0;   // when it was reached

  std::shared_ptr<capture> captured_in;  // last recorded in a capture, not as external
  std::vector<int> captured_after;
};

// Null for what is no stream or event (any more).
std::shared_ptr<stream> find_stream(cudaStream_t s);
std::shared_ptr<event> find_event(cudaEvent_t e);
std::vector<std::shared_ptr<stream>> all_streams();  // the null stream first

// To the stream's queue, or to the graph that captures it.
cudaError_t enqueue(cudaStream_t s, std::function<void()> work);
// To the queue. `after` beyond the order of the streams.
void enqueue_work(const std::shared_ptr<stream>& s, std::function<void()> work,
                  std::vector<stream_position> after = {});
// Until all that was enqueued is done; returns the sticky error.
cudaError_t wait_for_stream(cudaStream_t s);
void wait_for_device();
double now_milliseconds();

void count_streams(live_objects& live);

}  // namespace ess::emulation
