#include "ess_core/engine/tests/serving.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "ess_core/layout/index_key.h"

namespace ess::test {
namespace {

// Seen as numbers, NaN in every format.
constexpr std::byte poison{0xff};

class poisoner {
 public:
  poisoner(fixture& f, const step_report& report) : f_(f), row_(f.model.latent_row_bytes().value) {
    for (std::size_t i = 0; i < f.engine->seats().size(); ++i) {
      seat_state seat = f.engine->seats()[i];
      seat.position += report.kept[i];
      if (std::ranges::find(report.finished, seat.request) == report.finished.end()) live_.push_back(seat);
    }
  }

  void run() {
    for (const buffer_id scratch :
         {buffer_id::q_resid,       buffer_id::index_query,   buffer_id::index_weight,
          buffer_id::index_key_new, buffer_id::scores,        buffer_id::selected,
          buffer_id::query,         buffer_id::latent_new,    buffer_id::staging,
          buffer_id::landing,       buffer_id::locations,     buffer_id::misses,
          buffer_id::attention,     buffer_id::lse,           buffer_id::router_scores,
          buffer_id::expert_choice, buffer_id::expert_starts, buffer_id::expert_rows,
          buffer_id::expert_input,  buffer_id::expert_output}) {
      fill(scratch, 0, buffer_bytes(f_.layout, scratch).value);
    }
    spoil_index_keys();
    spoil_host_rows();
    spoil_device_rows();
  }

 private:
  struct kept_range {
    std::int64_t first, count;
  };

  void fill(buffer_id buffer, std::int64_t offset, std::int64_t bytes) {
    if (bytes <= 0) return;
    const std::vector<std::byte> values(static_cast<std::size_t>(bytes), poison);
    f_.on->write(buffer, offset, values);
  }

  // Calls spoil(first, count) for what lies between the ranges.
  template <class Spoil>
  static void outside(std::vector<kept_range> kept, std::int64_t size, const Spoil& spoil) {
    std::ranges::sort(kept, {}, &kept_range::first);
    std::int64_t next = 0;
    for (const kept_range& r : kept) {
      spoil(next, r.first - next);
      next = r.first + r.count;
    }
    spoil(next, size - next);
  }

  template <class Range>
  [[nodiscard]] std::vector<kept_range> live(const Range& range) const {
    std::vector<kept_range> out;
    for (const seat_state& seat : live_) out.push_back(range(seat));
    return out;
  }

  void spoil_index_keys() {
    const index_page_format format{.dim = f_.model.index_dim};
    const std::int64_t layer_bytes = f_.layout.index_tokens * f_.model.index_key_bytes().value;
    const auto kept = live([](const seat_state& s) { return kept_range{s.index_base, s.position}; });
    outside(kept, f_.layout.index_tokens, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t token = first; token < first + count; ++token) {
        for (std::int32_t layer = 0; layer < f_.model.layers; ++layer) {
          fill(buffer_id::index_keys, layer * layer_bytes + format.key_offset(token), format.dim);
          fill(buffer_id::index_keys, layer * layer_bytes + format.scale_offset(token), 4);
        }
      }
    });
  }

  void spoil_host_rows() {
    const auto kept = live([](const seat_state& s) { return kept_range{s.host_base, s.position}; });
    outside(f_.layout.host_rows > 0 ? kept : std::vector<kept_range>{}, f_.layout.host_rows,
            [&](std::int64_t first, std::int64_t count) {
              for (std::int32_t layer = 0; layer < f_.model.layers; ++layer) {
                fill(buffer_id::host_latents,
                     (layer * f_.layout.host_rows + first) * f_.layout.host_row_pitch,
                     count * f_.layout.host_row_pitch);
              }
            });
  }

  // Rows of a pool stay; so do those of a full cache up to the context's end. What layers take turns in holds
  // nothing between steps.
  void spoil_device_rows() {
    const bool lasting = f_.system->latent_copies(f_.model) == f_.model.layers;
    const auto kept = live([&](const seat_state& s) {
      return kept_range{s.device_base, f_.system->has_pool() ? s.device_rows : s.position};
    });
    outside(lasting ? kept : std::vector<kept_range>{}, f_.layout.device_rows,
            [&](std::int64_t first, std::int64_t count) {
              for (std::int32_t copy = 0; copy < f_.layout.latent_copies; ++copy) {
                const std::int64_t from = f_.layout.rows_in(copy, first);
                fill(buffer_id::latents, (f_.layout.rows_before(copy) + from) * row_,
                     (f_.layout.rows_in(copy, first + count) - from) * row_);
              }
            });
  }

  fixture& f_;
  std::int64_t row_;
  std::vector<seat_state> live_;  // as they will begin the next step
};

void record(const fixture& f, const step_report& report, outputs& out) {
  const auto& seats = f.engine->seats();
  for (std::size_t i = 0; i < seats.size(); ++i) {
    for (std::int32_t query = 0; query < report.kept[i]; ++query) {
      std::vector<float> hidden(static_cast<std::size_t>(f.model.hidden));
      const std::int64_t lane = static_cast<std::int64_t>(i) * f.s.query_tokens + query;
      f.on->read(buffer_id::hidden, lane * f.model.hidden * 4, std::as_writable_bytes(std::span(hidden)));
      out[seats[i].request].push_back(std::move(hidden));
    }
  }
}

}  // namespace

fixture::fixture(const scenario& what)
    : s(what),
      model(with_draft_layers(find_model_preset(s.preset).value())),
      system(make_system(s.system, s.ess)) {
  layout = make_layout({.model = model,
                        .query_tokens = s.query_tokens,
                        .final_tokens = longest,
                        .shortest_tokens = 1,
                        .hand_over = s.hand_over},
                       *system, s.room, s.seats);
  on->allocate(layout, 3);
  engine = std::make_unique<decode_engine>(*on, *system, prefill,
                                           engine_options{.layout = layout,
                                                          .seed = 3,
                                                          .overlap = s.overlap.kind,
                                                          .micro_batches = s.overlap.micro_batches,
                                                          .dba_from_misses = 0.1 * model.top_k,
                                                          .mean_kept = s.mean_kept,
                                                          .warm_up = s.warm_up});
}

std::vector<request> mixed_requests(tested_device on) {
  std::vector<request> out;
  if (on == tested_device::cuda_emulated) return {{0, 60, 5}, {1, 97, 3}, {2, 134, 6}};
  for (request_id id = 0; id < 12; ++id) out.push_back({id, 60 + id * 37 % 110, 20 + id * 13 % 29});
  return out;
}

served serve(const scenario& what, const std::vector<request>& requests) {
  fixture f(what);
  served out;
  for (std::size_t next = 0; next < requests.size() || f.engine->active() > 0;) {
    while (next < requests.size() && f.engine->admit(requests[next])) ++next;
    if (f.engine->active() == 0) throw std::logic_error("an empty engine refuses a request");
    const step_report report = f.engine->step();
    record(f, report, out.hidden);
    poisoner(f, report).run();
    out.rows += report.rows;
    ++out.steps;
  }
  return out;
}

const outputs& decoded_alone(std::string_view preset, tested_device on) {
  static std::map<std::pair<std::string_view, tested_device>, outputs> kept;
  const auto [at, missing] = kept.try_emplace({preset, on});
  for (const request& r : missing ? mixed_requests(on) : std::vector<request>{}) {
    at->second.merge(
        serve({.system = "all_gpu", .preset = preset, .room = 1, .seats = 1, .on = on}, {r}).hidden);
  }
  return at->second;
}

}  // namespace ess::test
