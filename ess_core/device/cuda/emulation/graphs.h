// Capture of streams into graphs. All with the runtime's mutex held. Internal to the stand-in.
#pragma once

#include <thread>

#include "ess_core/device/cuda/emulation/streams.h"

namespace ess::emulation {

struct graph_node {
  std::function<void()> work;
  std::vector<int> after;  // nodes
};
struct captured_work {
  std::vector<graph_node> nodes;               // in the order of capture
  std::vector<std::shared_ptr<event>> events;  // external ones, which each launch records
};
struct graph {
  std::shared_ptr<const captured_work> work;
};
struct executable_graph {
  std::shared_ptr<const captured_work> work;
};

struct capture {
  captured_work work;
  stream* origin;
  cudaStreamCaptureMode mode;
  std::thread::id by;
  bool invalid = false;
};

// For calls that are forbidden while the calling thread's captures, or anyone's global ones, go on; they
// spoil those.
cudaError_t refuse_while_capturing();
// For work on the null stream while a stream that it orders itself with is captured.
cudaError_t refuse_null_stream();

cudaError_t capture_work(stream& s, std::function<void()> work);
enum class record_kind { internal, external };
cudaError_t capture_record(stream& s, const std::shared_ptr<event>& e, std::function<void()> reach,
                           record_kind kind);
// s is captured, or joins the capture of e.
cudaError_t capture_wait(const std::shared_ptr<stream>& s, const event& e);
// s is about to be destroyed.
void abandon_capture(stream& s);

void count_graphs(live_objects& live);

}  // namespace ess::emulation
