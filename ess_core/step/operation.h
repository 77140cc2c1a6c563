// A decode step is data: a list of operations that a device executes. Which operations run, and in what
// order, never depends on data: lengths, ids, slots and miss counts live in the buffers that operations name.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ess_core/step/row_location.h"

namespace ess {

enum class op_kind : std::uint8_t {
  project_index,      // hidden -> q_resid, index query (e4m3), head weights, new index key
  append_key,         // new index key -> indexer cache
  score_keys,         // index query x all keys of the request -> scores
  select_topk,        // scores -> ids, ascending; ties to the smaller id
  project_attention,  // hidden, q_resid -> absorbed query, new latent row
  resolve,            // ids (and scores) -> locations, list of misses; chooses victims
  read_back,          // list of misses -> host (for systems whose host must know the ids)
  append_row,         // new latent row -> its place on the device
  write_back,         // new latent row -> host store, over the link
  fetch,              // misses: one gather over the link
  fetch_by_call,      // misses: one copy call a row over the link
  stream_layer,       // all rows of the layer: one bulk copy over the link
  attend,             // absorbed query x selected rows -> output in latent space, LSE
  merge,              // two partial outputs -> one, by LSE
  output,             // latent output -> values -> output projection -> added to hidden
  feed_forward,       // gated feed-forward -> added to hidden
  route,              // router: expert choice and weights
  dispatch,           // tokens -> their experts: normalised rows, grouped by expert
  experts,            // grouped expert feed-forward
  combine,            // expert outputs -> back, weighed, summed by expert id, added to hidden
  draft,              // hidden and the next token's embedding, both normalised -> input of a draft layer
  select_next,        // scores -> ids ranked just below the cut, best first: what may be asked for next
  prefetch,      // rows of those ids that the pool lacks, over the link for as long as nobody else wants it
  fill_pool,     // rows of all slots of a pool: one gather over the link
  take_landed,   // the same from the landing area, within the device
  store_landed,  // a request's landed rows -> host store, one bulk copy over the link
};
inline constexpr int op_kind_count = static_cast<int>(op_kind::store_landed) + 1;

// Streams run in order; operations on different streams run at the same time unless one waits for another.
// `network`: between the ranks of a cluster.
enum class stream_id : std::uint8_t { compute, copy, network };
inline constexpr int stream_count = 3;

// What operations read and write. Shapes: S seats, Q query tokens a seat, lanes = S x Q, L layers.
enum class buffer_id : std::uint8_t {
  seats,          // [S] seat_state: request, position, extents
  hidden,         // [lanes][hidden] f32, the residual stream
  draft_input,    // [lanes][hidden] f32, embeddings of the tokens that follow; none without draft layers
  q_resid,        // [lanes][q_lora] f32, after its norm
  index_query,    // [lanes][index_heads][index_dim] e4m3
  index_weight,   // [lanes][index_heads] f32, query scale folded in
  index_key_new,  // [lanes][132] one key, one scale
  index_keys,     // [L][pages of 64 tokens][8,448 B]: 64 x 128 e4m3, then 64 f32 scales
  scores,         // [lanes][max context] f32
  selected,       // [L][lanes][top_k] token_id, ascending, -1 = padding at the end
  query,          // [lanes][heads][kv_lora + rope] f32, absorbed
  latent_new,     // [L][lanes][row] packed
  latents,        // [copies][device rows][row] packed; a copy serves layers l with l % copies == its number
  staging,        // [staging rows][row] packed, rows that the pool does not admit
  landing,        // [L][landing rows][row] packed: where the cache of a request arrives on the device
  host_latents,   // [L][host rows][pitch] packed, host tier
  pool,           // [L] maps, stamps and order of the sparse memory pool
  candidates,     // [L][S][prefetch rows] token_id, -1 = padding at the end
  locations,      // [lanes][top_k] i32, see row_location
  misses,         // [S] list of {token, location}
  counters,       // [L][S] row_counters
  attention,      // [2 parts][lanes][heads][kv_lora] f32
  lse,            // [2 parts][lanes][heads] f32, natural logarithm, +inf = no valid row
  // Mixture of experts. Copies of a lane: moe.top_k, and one more for the shared expert, whose id is
  // moe.experts.
  router_scores,  // [lanes][experts] f32, sigmoids
  expert_choice,  // [lanes][moe.top_k] id and weight, by ascending id
  expert_starts,  // [S][experts + 2] i32, at the slice's first seat: the first row of each expert, then the
                  // end
  expert_rows,    // [lanes][copies] i32: rows of the two below
  // Where other ranks hold experts, rows that arrived here lie behind these: memory_layout::own_expert_rows.
  expert_input,   // [lanes x copies][hidden] f32: a slice's rows by expert, within it by lane
  expert_output,  // [lanes x copies][hidden] f32
};

// A contiguous range of seats: the whole batch or a micro-batch.
struct batch_slice {
  std::int32_t first = 0;
  std::int32_t count = 0;
  friend bool operator==(batch_slice, batch_slice) = default;
};

struct access {
  buffer_id buffer;
  std::int32_t instance = -1;  // layer (or copy, for latents); -1: the buffer has only one
  batch_slice slice = {};
  row_part part = row_part::all;
  bool write = false;
  friend bool operator==(const access&, const access&) = default;
};

struct operation {
  op_kind kind;
  std::int32_t layer = 0;
  batch_slice slice = {};
  stream_id stream = stream_id::compute;
  row_part part = row_part::all;                            // attend; fetch*: what of the host store it reads
  row_addressing addressing = row_addressing::by_location;  // attend
  std::vector<access> accesses = {};
  std::vector<std::int32_t> waits = {};  // indices of earlier operations, on other streams
  friend bool operator==(const operation&, const operation&) = default;
};

// A program is built once for a batch shape and replayed every step.
struct step_program {
  std::int32_t layers = 0;
  std::int32_t seats = 0;
  std::int32_t query_tokens = 1;
  std::int32_t latent_copies = 0;  // layers for a full cache or a pool, 2 for a double buffer, 1 for staging
  std::vector<operation> operations = {};
  std::uint64_t id = 0;  // differs between programs of a process that were built apart
};

[[nodiscard]] bool has_work_on(const step_program& program, stream_id stream);

[[nodiscard]] std::string_view to_string(op_kind kind);
[[nodiscard]] std::optional<op_kind> parse_op_kind(std::string_view name);
[[nodiscard]] std::string_view to_string(stream_id stream);
[[nodiscard]] std::string_view to_string(buffer_id buffer);
[[nodiscard]] bool crosses_link(op_kind kind);
// True if the two touch the same memory and at least one writes.
[[nodiscard]] bool conflict(const access& a, const access& b);
[[nodiscard]] bool conflict(const operation& a, const operation& b);
// What an operation of this kind reads and writes, by definition.
[[nodiscard]] std::vector<access> accesses_of(const operation& op, std::int32_t latent_copies);

}  // namespace ess
