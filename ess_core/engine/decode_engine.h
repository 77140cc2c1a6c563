// Decodes a batch of requests on a device, step by step: admission against the memory of both tiers,
// hand-over of what prefill left, warm-up, one program a batch size, accounting with its identities, finish.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include "ess_core/device/device.h"
#include "ess_core/engine/draft_acceptance.h"
#include "ess_core/engine/extent_allocator.h"
#include "ess_core/engine/prefill.h"
#include "ess_core/engine/selections.h"
#include "ess_core/step/decode_step.h"

namespace ess {

struct request {
  request_id id = 0;
  token_id prompt_tokens = 0;  // handed over by prefill
  token_id output_tokens = 0;  // to decode
  [[nodiscard]] token_id final_tokens() const { return prompt_tokens + output_tokens; }
};

enum class warm_up_kind : std::uint8_t {
  windows,    // the ids of the last prompt positions, in order
  arbitrary,  // any rows of the prompt, as many as the pool holds
  empty,      // the pool starts empty
};

// Whether the transfers of an admission take the time that they would take.
enum class hand_over_timing : std::uint8_t {
  set_up,         // no: admission comes before what is measured
  as_in_service,  // yes
};

struct engine_options {
  memory_layout layout;  // what the device has allocated
  std::uint64_t seed = 0;
  overlap_kind overlap = overlap_kind::none;
  std::int32_t micro_batches = 1;  // 2: two-batch overlap
  bool experts_elsewhere = false;  // expert parallelism: overlap_choice
  // Overlap layerwise: misses a request and step of each layer, and from how many on a layer takes dba.
  // Without figures they are those of the last half of the first warm-up.
  std::vector<double> layer_misses;
  double dba_from_misses = 0;
  double mean_kept = 1.0;  // of a step's query tokens: draft_acceptance
  warm_up_kind warm_up = warm_up_kind::windows;
  std::int32_t warm_up_windows = 32;
  hand_over_timing hand_over_clock = hand_over_timing::set_up;
};

// Of all admissions so far. Rows of every layer.
struct hand_over_totals {
  std::int64_t requests = 0;
  std::int64_t rows_in = 0;   // over the link into the pool, warming it up
  std::int64_t rows_out = 0;  // over the link from the landing area to the host store
  microseconds time{};        // of programs, by the device's clock; zero where it is set-up
};

// Sums over layers and seats of one step.
struct row_totals {
  std::int64_t asked = 0;
  std::int64_t hits = 0;
  std::int64_t misses = 0;
  std::int64_t rows_in = 0;
  std::int64_t rows_out = 0;
  std::int64_t ahead_in = 0;  // see row_counters
  std::int64_t ahead_used = 0;
  std::int64_t ahead_lost = 0;

  row_totals& operator+=(const row_totals& other);
};

struct step_report {
  step_timing timing;
  const step_program* program = nullptr;
  std::int32_t active = 0;         // requests that took part
  std::vector<std::int32_t> kept;  // tokens of each of them, by seat; 1 to the query tokens of a step
  row_totals rows;
  // Mean over requests, layers and kept query tokens of |K(t-1) and K(t)| / |K(t)|; empty in the first step
  // of a request.
  std::optional<double> step_overlap;
  std::vector<request_id> finished;
};

// Of all steps so far.
struct miss_history {
  std::vector<double> by_step;   // misses a request and layer
  std::vector<double> by_layer;  // misses a request, summed over steps
};

// The accounting of a step does not add up: a bug, never a property of the data.
class identity_violation : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

class decode_engine {
 public:
  decode_engine(device& on, const cache_system& system, prefill_source& prefill,
                const engine_options& options);

  // False if there is no room now. Throws out_of_memory if there never will be.
  [[nodiscard]] bool admit(const request& what);
  // As many as are given, warmed up together; all must fit.
  void admit_batch(const std::vector<request>& requests);
  [[nodiscard]] std::int32_t active() const { return static_cast<std::int32_t>(seats_.size()); }
  [[nodiscard]] const std::vector<seat_state>& seats() const { return states_; }

  // Ids that a seat's query tokens selected in the last step: [layers][query tokens][top_k].
  [[nodiscard]] std::vector<token_id> selected(std::int32_t index) const;

  // One token or more (mean_kept) for every active request; drafts that are rejected are made again, as other
  // tokens, in a later step. Requests that have all their tokens leave afterwards.
  step_report step(const device::probe& after = {});

  [[nodiscard]] const hand_over_totals& handed_over() const { return handed_over_; }

  [[nodiscard]] const miss_history& misses() const { return history_; }

  // Misses a request and step by which layerwise overlap chooses; empty: not known, all layers take da.
  [[nodiscard]] const std::vector<double>& layer_misses() const { return options_.layer_misses; }

 private:
  struct seat {
    request what;
    token_id decoded = 0;
    std::int32_t steps = 0;
    std::int32_t home = 0;
    request_extent extent;
    seat_state state;
    std::vector<token_id> last_kept;  // [layers][top_k] ids of the query token before this step
  };

  [[nodiscard]] std::optional<seat> take_room(const request& what);
  void give_back(const seat& s);
  void check_ever_fits(const request_extent& extent) const;
  void hand_over(batch_slice slice);
  [[nodiscard]] bool lands() const;
  void place_index_keys(const seat& s, const prefill_result& prompt);
  void place_latents(const seat& s, const prefill_result& prompt);
  void write_host_rows(std::int64_t first, std::span<const std::byte> rows);
  void store_landed(batch_slice slice);
  void run_between_steps(const step_program& program);
  void warm_up(batch_slice slice);
  using step_done = std::function<void(std::int32_t step)>;
  void insert_windows(batch_slice slice);
  void select_windows(batch_slice slice, std::int32_t steps, const step_done& replayed);
  void replay_windows(batch_slice slice, std::int32_t steps, const step_done& replayed);
  void follow_windows(batch_slice slice, std::int32_t steps, const step_done& replayed);
  void insert_any_rows(batch_slice slice);
  [[nodiscard]] bool knows_windows(batch_slice slice, std::int32_t steps) const;
  [[nodiscard]] std::vector<row_counters> read_counters() const;  // [layers][seats]
  // Over the seats of a slice, of the step run last.
  [[nodiscard]] std::int64_t sum_of(batch_slice slice, std::int32_t layer,
                                    std::int32_t row_counters::*what) const;
  void write_selection(std::int32_t place, const std::vector<token_id>& ids);
  void write_inputs(token_id back);
  [[nodiscard]] selection_shape selected_shape() const;
  [[nodiscard]] const step_program& program_for(std::int32_t active);
  void count_rows(step_report& report);
  void advance(step_report& report);

  device& device_;
  const cache_system& system_;
  prefill_source& prefill_;
  engine_options options_;
  draft_acceptance acceptance_;
  extent_allocator index_, rows_, staging_, host_, map_;
  std::vector<std::int32_t> free_homes_;
  std::vector<seat> seats_;
  std::vector<seat_state> states_;  // as last written to the device
  std::map<std::int32_t, step_program> programs_;
  hand_over_totals handed_over_;
  miss_history history_;
};

}  // namespace ess
