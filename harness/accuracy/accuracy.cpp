#include "harness/accuracy/accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "ess_core/base/parallel.h"
#include "ess_core/base/random.h"
#include "harness/accuracy/checks.h"

namespace harness {
namespace {

using ess::op_kind;

constexpr std::size_t failures_in_full = 20;

// `count` different numbers below `size`, ascending.
std::vector<std::int32_t> draw(std::int32_t size, std::int32_t count, std::uint64_t seed,
                               std::uint32_t stream) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(size));
  std::iota(all.begin(), all.end(), 0);
  const ess::counter_rng rng(seed, ess::purpose::accuracy_sample, stream);
  const auto wanted = static_cast<std::size_t>(std::clamp(count, 0, size));
  for (std::size_t i = 0; i < wanted; ++i) std::swap(all[i], all[i + rng.below(all.size() - i, i)]);
  all.resize(wanted);
  std::ranges::sort(all);
  return all;
}

recorder_sample draw_sample(const accuracy_inputs& in) {
  recorder_sample out{.requests = {},
                      .layers = draw(in.layout.model.layers, in.options.layers, in.options.seed, 0)};
  const auto batch = static_cast<std::int32_t>(in.requests.size());
  for (const std::int32_t i : draw(batch, in.options.requests, in.options.seed, 1)) {
    out.requests.push_back(in.requests[static_cast<std::size_t>(i)].id);
  }
  return out;
}

void check_start(const accuracy_inputs& in) {
  if (in.engine.active() != static_cast<std::int32_t>(in.requests.size())) {
    throw std::invalid_argument(fmt::format("the engine serves {} requests where {} were to be checked",
                                            in.engine.active(), in.requests.size()));
  }
  for (const ess::request& r : in.requests) {
    if (r.output_tokens < in.options.steps * in.layout.shape.query_tokens) {
      throw std::invalid_argument(
          fmt::format("request {} ends before {} steps are checked", r.id, in.options.steps));
    }
  }
}

void check_first_positions(const accuracy_inputs& in) {
  for (const ess::seat_state& seat : in.engine.seats()) {
    const auto found = std::ranges::find(in.requests, seat.request, &ess::request::id);
    if (found == in.requests.end() || seat.position != found->prompt_tokens) {
      throw std::invalid_argument(
          fmt::format("request {} stands at token {}, not behind its prompt", seat.request, seat.position));
    }
  }
}

// Operations without which a record says nothing, or not how the system obtained its rows.
bool complete(const accuracy_inputs& in, const lane_record& r) {
  std::vector<op_kind> needed = {op_kind::project_index, op_kind::append_key,        op_kind::score_keys,
                                 op_kind::select_topk,   op_kind::project_attention, op_kind::attend,
                                 op_kind::output};
  if (in.system.addressing() == ess::row_addressing::by_location) needed.push_back(op_kind::resolve);
  if (in.system.home() == ess::latent_home::host) needed.push_back(op_kind::write_back);
  if (in.layout.model.is_draft_layer(r.layer)) needed.push_back(op_kind::draft);
  if (in.overlap != ess::overlap_kind::none) needed.push_back(op_kind::merge);
  if (in.layout.model.is_moe_layer(r.layer)) {
    needed.insert(needed.end(), {op_kind::route, op_kind::dispatch, op_kind::experts, op_kind::combine});
  } else {
    needed.push_back(op_kind::feed_forward);
  }
  return std::ranges::all_of(needed, [&](op_kind kind) { return r.did(kind); }) && !r.whole.lse.empty();
}

findings check_layer(const check_context& c, const layer_records& records) {
  findings out;
  if (c.model().is_draft_layer(records.front()->layer)) out.merge(check_draft_input(c, records));
  out.merge(check_index_projection(c, records));
  out.merge(check_attention_projection(c, records));
  out.merge(check_output(c, records));
  const bool moe = c.model().is_moe_layer(records.front()->layer);
  out.merge(moe ? check_experts(c, records) : check_feed_forward(c, records));
  return out;
}

findings check_lane(const check_context& c, const lane_record& r) {
  findings out = check_index_keys(c, r);
  out.merge(check_selection(c, r));
  out.merge(check_rows(c, r));
  out.merge(check_attention(c, r));
  return out;
}

findings check_operations(const accuracy_inputs& in, const std::vector<lane_record>& lanes) {
  findings out;
  const true_rows truth(in.layout.model, in.prefill, in.requests, lanes);
  const check_context c{.layout = in.layout, .seed = in.seed, .matrices = in.matrices, .truth = truth};
  layer_records usable;
  for (const lane_record& r : lanes) {
    out.add("recorded.missing", complete(in, r) ? 0 : 1, place_of(r));
    if (complete(in, r)) usable.push_back(&r);
  }
  for (std::int32_t layer = 0; layer < in.layout.model.layers; ++layer) {
    layer_records of_layer;
    std::ranges::copy_if(usable, std::back_inserter(of_layer),
                         [&](const lane_record* r) { return r->layer == layer; });
    if (!of_layer.empty()) out.merge(check_layer(c, of_layer));
  }
  std::vector<findings> by_lane(usable.size());
  ess::for_each_parallel(usable.size(), 0, [&](std::size_t i) { by_lane[i] = check_lane(c, *usable[i]); });
  for (const findings& f : by_lane) out.merge(f);
  return out;
}

struct batch_difference {
  std::int64_t values = 0;  // hidden values and ids
  double hidden = 0;        // largest, of the largest
  std::int64_t equal_ids = 0;
  std::int64_t ids = 0;
};

// Both ascend and are padded with -1.
std::int64_t common_ids(std::span<const ess::token_id> a, std::span<const ess::token_id> b) {
  const auto ids_of = [](auto list) {
    return std::ranges::subrange(list.begin(), std::ranges::find(list, -1));
  };
  std::vector<ess::token_id> both;
  std::ranges::set_intersection(ids_of(a), ids_of(b), std::back_inserter(both));
  return static_cast<std::int64_t>(both.size());
}

batch_difference compare(const batch_record& got, const batch_record& want, std::size_t top_k) {
  batch_difference d;
  for (std::size_t i = 0; i < want.hidden.size(); ++i) {
    const bool same =
        std::bit_cast<std::uint32_t>(got.hidden[i]) == std::bit_cast<std::uint32_t>(want.hidden[i]);
    d.values += same ? 0 : 1;
  }
  for (std::size_t first = 0; first < want.selected.size(); first += top_k) {
    const auto a = std::span(got.selected).subspan(first, top_k);
    const auto b = std::span(want.selected).subspan(first, top_k);
    d.ids += std::ranges::count_if(b, [](ess::token_id id) { return id >= 0; });
    d.equal_ids += common_ids(a, b);
    for (std::size_t i = 0; i < top_k; ++i) d.values += a[i] == b[i] ? 0 : 1;
  }
  d.hidden = relative_error(got.hidden, std::vector<double>(want.hidden.begin(), want.hidden.end()));
  return d;
}

// Of those seats only, in their order, that the other run has.
batch_record part_of(const batch_record& all, const std::vector<ess::request_id>& requests) {
  batch_record out;
  const std::size_t seats = all.requests.size();
  const auto copy_seats = [&](const auto& from, auto& to, std::size_t lists) {
    const std::size_t width = from.size() / lists / seats;
    for (std::size_t list = 0; list < lists; ++list) {
      for (const ess::request_id request : out.requests) {
        const auto seat =
            static_cast<std::size_t>(std::ranges::find(all.requests, request) - all.requests.begin());
        const auto first = from.begin() + static_cast<std::ptrdiff_t>((list * seats + seat) * width);
        to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(width));
      }
    }
  };
  std::ranges::copy_if(requests, std::back_inserter(out.requests), [&](ess::request_id request) {
    return std::ranges::find(all.requests, request) != all.requests.end();
  });
  copy_seats(all.hidden, out.hidden, 1);
  copy_seats(all.selected, out.selected, all.layers);
  return out;
}

// Attention in two parts sums in another order, and from then on the two decode apart, each of them right: so
// their difference is reported, and what is judged is each operation against double.
findings compare_batches(const accuracy_inputs& in, const std::vector<batch_record>& got,
                         const reference_run& want) {
  findings out;
  std::int64_t equal = 0;
  std::int64_t ids = 0;
  for (std::size_t step = 0; step < got.size(); ++step) {
    const place at{.step = static_cast<std::int32_t>(step)};
    const batch_record mine = step < want.size() ? part_of(got[step], want[step].requests) : batch_record{};
    const bool same_seats = step < want.size() && mine.requests == want[step].requests;
    out.add("vs_all_gpu.missing_seats", same_seats ? 0 : 1, at);
    if (!same_seats) continue;
    const batch_difference d = compare(mine, want[step], static_cast<std::size_t>(in.layout.model.top_k));
    if (in.overlap == ess::overlap_kind::none) {
      out.add("vs_all_gpu.differing_values", static_cast<double>(d.values), at);
    }
    out.add("vs_all_gpu.hidden_max_rel_difference", d.hidden, at);
    equal += d.equal_ids;
    ids += d.ids;
  }
  if (ids > 0)
    out.add("vs_all_gpu.equal_ids_share", static_cast<double>(equal) / static_cast<double>(ids), {});
  return out;
}

}  // namespace

accuracy_report check_accuracy(const accuracy_inputs& in) {
  check_start(in);
  std::vector<ess::request> beside = in.requests;
  if (in.options.beside_all_gpu > 0)
    beside.resize(std::min(beside.size(), static_cast<std::size_t>(in.options.beside_all_gpu)));
  const auto want = in.runs.get({.model = in.layout.model,
                                 .seed = in.seed,
                                 .query_tokens = in.layout.shape.query_tokens,
                                 .mean_kept = in.mean_kept,
                                 .distinct_prompts = in.prefill.distinct_prompts(),
                                 .requests = beside,
                                 .steps = in.options.steps},
                                in.prefill, in.all_gpu);
  step_recorder recorder({in.device, in.engine, in.layout}, draw_sample(in));
  for (std::int32_t step = 0; step < in.options.steps; ++step) {
    recorder.step();
    if (step == 0) check_first_positions(in);
  }
  findings found = check_operations(in, recorder.lanes());
  found.merge(compare_batches(in, recorder.batches(), *want));
  return {.ok = found.ok(), .failures = found.failures(failures_in_full), .figures = found.figures()};
}

}  // namespace harness
