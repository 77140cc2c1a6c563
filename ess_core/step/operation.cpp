#include "ess_core/step/operation.h"

#include <algorithm>
#include <array>

namespace ess {
namespace {

constexpr std::array<std::string_view, op_kind_count> op_names = {
    "project_index", "append_key",   "score_keys", "select_topk", "project_attention",
    "resolve",       "read_back",    "append_row", "write_back",  "fetch",
    "fetch_by_call", "stream_layer", "attend",     "merge",       "output",
    "feed_forward",  "route",        "dispatch",   "experts",     "combine",
    "draft",         "select_next",  "prefetch",   "fill_pool",   "take_landed",
    "store_landed"};

constexpr std::array<std::string_view, stream_count> stream_names = {"compute", "copy", "network"};

constexpr std::array<std::string_view, 29> buffer_names = {
    "seats",         "hidden",        "draft_input", "q_resid",      "index_query",  "index_weight",
    "index_key_new", "index_keys",    "scores",      "selected",     "query",        "latent_new",
    "latents",       "staging",       "landing",     "host_latents", "pool",         "candidates",
    "locations",     "misses",        "counters",    "attention",    "lse",          "router_scores",
    "expert_choice", "expert_starts", "expert_rows", "expert_input", "expert_output"};
static_assert(static_cast<int>(buffer_id::expert_output) + 1 == static_cast<int>(buffer_names.size()));

bool overlap(batch_slice a, batch_slice b) {
  return a.first < b.first + b.count && b.first < a.first + a.count;
}

bool overlap(row_part a, row_part b) { return (static_cast<int>(a) & static_cast<int>(b)) != 0; }

// Collects the accesses of one operation.
struct access_list {
  const operation& op;
  std::int32_t latent_copies;
  std::vector<access> out = {};

  void add(buffer_id buffer, bool write, row_part part = row_part::all) {
    out.push_back({buffer, instance_of(buffer), op.slice, part, write});
  }
  void read(buffer_id buffer, row_part part = row_part::all) { add(buffer, false, part); }
  void write(buffer_id buffer, row_part part = row_part::all) { add(buffer, true, part); }

 private:
  [[nodiscard]] std::int32_t instance_of(buffer_id buffer) const {
    switch (buffer) {
      case buffer_id::index_keys:
      case buffer_id::selected:
      case buffer_id::latent_new:
      case buffer_id::candidates:
      case buffer_id::landing:
      case buffer_id::host_latents:
      case buffer_id::pool:
      case buffer_id::counters:
        return op.layer;
      case buffer_id::latents:
        return latent_copies > 0 ? op.layer % latent_copies : 0;
      default:
        return -1;
    }
  }
};

}  // namespace

bool has_work_on(const step_program& program, stream_id stream) {
  return std::any_of(program.operations.begin(), program.operations.end(),
                     [&](const operation& op) { return op.stream == stream; });
}

std::string_view to_string(op_kind kind) { return op_names.at(static_cast<std::size_t>(kind)); }

std::optional<op_kind> parse_op_kind(std::string_view name) {
  const auto found = std::find(op_names.begin(), op_names.end(), name);
  if (found == op_names.end()) return std::nullopt;
  return static_cast<op_kind>(found - op_names.begin());
}

std::string_view to_string(stream_id stream) { return stream_names.at(static_cast<std::size_t>(stream)); }

std::string_view to_string(buffer_id buffer) { return buffer_names.at(static_cast<std::size_t>(buffer)); }

bool crosses_link(op_kind kind) {
  switch (kind) {
    case op_kind::read_back:
    case op_kind::write_back:
    case op_kind::fetch:
    case op_kind::fetch_by_call:
    case op_kind::stream_layer:
    case op_kind::prefetch:
    case op_kind::fill_pool:
    case op_kind::store_landed:
      return true;
    default:
      return false;
  }
}

bool conflict(const access& a, const access& b) {
  return (a.write || b.write) && a.buffer == b.buffer && a.instance == b.instance &&
         overlap(a.slice, b.slice) && overlap(a.part, b.part);
}

bool conflict(const operation& a, const operation& b) {
  return std::any_of(a.accesses.begin(), a.accesses.end(), [&](const access& x) {
    return std::any_of(b.accesses.begin(), b.accesses.end(), [&](const access& y) { return conflict(x, y); });
  });
}

std::vector<access> accesses_of(const operation& op, std::int32_t latent_copies) {
  using enum buffer_id;
  access_list a{op, latent_copies};
  a.read(seats);
  switch (op.kind) {
    case op_kind::project_index:
      a.read(hidden), a.write(q_resid), a.write(index_query), a.write(index_weight), a.write(index_key_new);
      break;
    case op_kind::append_key:
      a.read(index_key_new), a.write(index_keys);
      break;
    case op_kind::score_keys:
      a.read(index_query), a.read(index_weight), a.read(index_keys), a.write(scores);
      break;
    case op_kind::select_topk:
      a.read(scores), a.write(selected);
      break;
    case op_kind::project_attention:
      a.read(hidden), a.read(q_resid), a.write(query), a.write(latent_new);
      break;
    case op_kind::resolve:
      a.read(selected), a.read(scores), a.write(pool), a.write(locations), a.write(misses), a.write(counters);
      break;
    case op_kind::read_back:
      a.read(misses);
      break;
    case op_kind::append_row:
      a.read(latent_new), a.read(pool), a.write(latents, row_part::resident),
          a.write(staging, row_part::resident);
      break;
    case op_kind::write_back:
      a.read(latent_new), a.write(host_latents, row_part::incoming), a.write(counters);
      break;
    case op_kind::fetch:
    case op_kind::fetch_by_call:
      a.read(misses), a.read(host_latents, op.part), a.write(latents, row_part::incoming);
      a.write(staging, row_part::incoming), a.write(counters);
      break;
    case op_kind::select_next:
      a.read(scores), a.read(selected), a.write(candidates);
      break;
    case op_kind::prefetch:
      a.read(candidates), a.read(host_latents, row_part::resident), a.write(pool);
      a.write(latents, row_part::others), a.write(counters);
      break;
    case op_kind::fill_pool:
      a.read(pool), a.read(host_latents, row_part::resident), a.write(latents), a.write(counters);
      break;
    case op_kind::take_landed:
      a.read(pool), a.read(landing), a.write(latents), a.write(counters);
      break;
    case op_kind::store_landed:
      a.read(landing), a.write(host_latents, row_part::resident);
      break;
    case op_kind::stream_layer:
      a.read(host_latents, row_part::resident), a.write(latents, row_part::incoming), a.write(counters);
      break;
    case op_kind::attend:
      a.read(query), a.read(selected), a.read(latents, op.part);
      if (op.addressing == row_addressing::by_location) a.read(locations), a.read(staging, op.part);
      a.write(attention, op.part == row_part::all ? row_part::resident : op.part);
      a.write(lse, op.part == row_part::all ? row_part::resident : op.part);
      break;
    case op_kind::merge:
      a.read(attention, row_part::incoming), a.read(lse, row_part::incoming);
      a.write(attention, row_part::resident), a.write(lse, row_part::resident);
      break;
    case op_kind::output:
      a.read(attention, row_part::resident), a.write(hidden);
      break;
    case op_kind::feed_forward:
      a.write(hidden);
      break;
    case op_kind::route:
      a.read(hidden), a.write(router_scores), a.write(expert_choice);
      break;
    case op_kind::dispatch:
      a.read(hidden), a.read(expert_choice), a.write(expert_starts), a.write(expert_rows),
          a.write(expert_input);
      break;
    case op_kind::experts:
      a.read(expert_starts), a.read(expert_input), a.write(expert_output);
      break;
    case op_kind::combine:
      a.add(expert_output, op.stream == stream_id::network);  // results come back from other ranks
      a.read(expert_choice), a.read(expert_rows), a.write(hidden);
      break;
    case op_kind::draft:
      a.read(draft_input), a.write(hidden);
      break;
  }
  return std::move(a.out);
}

}  // namespace ess
