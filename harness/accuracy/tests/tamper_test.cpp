// What is wrong must come out, and under the name of the operation that did it.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>

#include "harness/accuracy/bounds.h"
#include "harness/accuracy/device_reader.h"
#include "harness/accuracy/tests/fixture.h"

namespace harness {
namespace {

using ess::buffer_id;
using ess::op_kind;
using ess::operation;
using testing::Contains;
using testing::StartsWith;

using bytes = std::vector<std::uint8_t>;

void write_bytes(ess::device& to, buffer_id buffer, std::int64_t offset, const bytes& values) {
  to.write(buffer, offset, std::as_bytes(std::span(values)));
}

void flip_byte(ess::device& of, buffer_id buffer, std::int64_t offset) {
  bytes value = read_values<std::uint8_t>(of, buffer, offset, 1);
  value[0] ^= 1;  // the least bit of a code
  write_bytes(of, buffer, offset, value);
}

void swap_bytes(ess::device& of, buffer_id buffer, std::int64_t a, std::int64_t b, std::int64_t count) {
  const bytes first = read_values<std::uint8_t>(of, buffer, a, count);
  const bytes second = read_values<std::uint8_t>(of, buffer, b, count);
  write_bytes(of, buffer, a, second);
  write_bytes(of, buffer, b, first);
}

// Byte of the row of `rank` of the first request in `layer`, wherever resolve put it; -1 unless it is
// incoming.
std::int64_t incoming_row(const ess::device& of, const checked_batch& b, std::int32_t layer,
                          std::int32_t rank) {
  const auto location = read_values<ess::row_location>(of, buffer_id::locations, rank, 1)[0];
  if (location < 0 || (location & ess::incoming_flag) == 0) return -1;
  const ess::row_place at = place_of(b.layout, b.engine->seats().front(), layer, location);
  return at.buffer == buffer_id::latents ? at.row * b.model.latent_row_bytes().value : -1;
}

// Meddles once, after the first operation of `kind` in layer 1 of the second step.
void meddle_after(checked_batch& b, op_kind kind, const std::function<void(ess::device&)>& with) {
  b.device.after_operation = [kind, with](ess::device& on, int run, const operation& op) {
    if (run == 1 && op.layer == 1 && op.kind == kind) with(on);
  };
}

void expect_failure(const accuracy_report& report, const std::string& figure) {
  EXPECT_FALSE(report.ok);
  EXPECT_THAT(report.failures, Contains(StartsWith(figure)));
}

void expect_first_failure(const accuracy_report& report, const std::string& figure) {
  EXPECT_FALSE(report.ok);
  ASSERT_FALSE(report.failures.empty());
  EXPECT_THAT(report.failures.front(), StartsWith(figure));
}

TEST(tampering, one_bit_of_every_row_in_the_host_store) {
  for (const std::string_view system : {"ess", "naive_gather"}) {
    checked_batch b({.system = system});
    b.device.before_run = [&](ess::device& on, int run) {
      if (run != 1) return;
      const std::int64_t rows = b.model.layers * b.layout.host_rows;
      for (std::int64_t row = 0; row < rows; ++row)
        flip_byte(on, buffer_id::host_latents, row * b.layout.host_row_pitch);
    };
    const accuracy_report report = b.check();
    expect_first_failure(report, "fetch.differing_rows");
    EXPECT_GT(report.figures.at("vs_all_gpu.differing_values"), 0);
  }
}

// A pool of 20 rows cannot hold a step of 32, so any row selected in one step and not in the last is fetched.
TEST(tampering, one_bit_of_one_row_that_will_be_fetched) {
  checked_batch b({.ess = {.pool_rows = 20}});
  std::vector<ess::token_id> fetched;
  b.device.after_operation = [&](ess::device& on, int run, const operation& op) {
    if (run != 1 || op.layer != 0 || op.kind != op_kind::resolve) return;
    const auto ids = read_values<ess::token_id>(on, buffer_id::selected, 0, b.model.top_k);
    const auto where = read_values<ess::row_location>(on, buffer_id::locations, 0, b.model.top_k);
    for (std::size_t i = 0; i < ids.size() && fetched.empty(); ++i) {
      if (where[i] >= 0 && (where[i] & ess::incoming_flag) != 0) fetched.push_back(ids[i]);
    }
    ASSERT_FALSE(fetched.empty());
    const std::int64_t row = b.engine->seats().front().host_base + fetched.front();
    flip_byte(on, buffer_id::host_latents, row * b.layout.host_row_pitch + 17);
  };
  const accuracy_report report = b.check();
  expect_first_failure(report, "fetch.differing_rows 1 ");
  expect_failure(report, "attend.differing_rows 1 ");
}

TEST(tampering, one_bit_of_the_rows_that_the_device_holds) {
  for (const std::string_view system : {"ess", "all_gpu"}) {
    checked_batch b({.system = system});
    b.device.before_run = [&](ess::device& on, int run) {
      if (run != 2) return;
      const std::int64_t row = b.model.latent_row_bytes().value;
      for (std::int64_t i = 0; i < b.layout.device_rows; ++i)
        flip_byte(on, buffer_id::latents, i * row + 100);
    };
    expect_first_failure(b.check(), "attend.differing_rows");
  }
}

TEST(tampering, two_rows_change_places) {
  // No further step, which might select only one of them.
  checked_batch b({.system = "all_gpu", .options = {.steps = 2, .requests = 3, .layers = 3}});
  meddle_after(b, op_kind::append_row, [&](ess::device& on) {
    const std::int64_t row = b.model.latent_row_bytes().value;
    const auto ids = read_values<ess::token_id>(on, buffer_id::selected,
                                                std::int64_t{b.s.batch} * b.model.top_k, b.model.top_k);
    const ess::seat_state& seat = b.engine->seats().front();
    const std::int64_t first = (b.layout.device_rows + seat.device_base) * row;
    swap_bytes(on, buffer_id::latents, first + ids[3] * row, first + ids[4] * row, row);
  });
  const accuracy_report report = b.check();
  expect_first_failure(report, "attend.differing_rows 2 ");
  // Attention does not depend on the order of its rows: only bytes show this one.
  EXPECT_LT(report.figures.at("attend.output"), find_bound("attend.output")->bound);
}

TEST(tampering, a_row_of_another_request) {
  checked_batch b({.system = "naive_gather"});
  b.device.before_run = [&](ess::device& on, int run) {
    if (run != 1) return;
    const auto& seats = b.engine->seats();
    for (std::int64_t token = 0; token < 250; ++token) {
      swap_bytes(on, buffer_id::host_latents, (seats[0].host_base + token) * b.layout.host_row_pitch,
                 (seats[1].host_base + token) * b.layout.host_row_pitch, b.layout.host_row_pitch);
    }
  };
  const accuracy_report report = b.check();
  expect_first_failure(report, "fetch.differing_rows");
  expect_failure(report, "attend.output");
}

TEST(tampering, one_bit_of_a_row_that_was_fetched) {
  checked_batch b({.system = "naive_gather"});
  meddle_after(b, op_kind::fetch, [&](ess::device& on) {
    const std::int64_t at = incoming_row(on, b, 1, 2);
    ASSERT_GE(at, 0);
    flip_byte(on, buffer_id::latents, at);
  });
  expect_first_failure(b.check(), "fetch.differing_rows 1 ");
}

TEST(tampering, a_streamed_layer) {
  checked_batch b({.system = "layer_stream"});
  meddle_after(b, op_kind::stream_layer, [&](ess::device& on) {
    const std::int64_t row = b.model.latent_row_bytes().value;
    flip_byte(on, buffer_id::latents,
              (b.layout.device_rows + b.engine->seats().front().device_base + 7) * row);
  });
  expect_first_failure(b.check(), "stream_layer.differing_rows 1 ");
}

TEST(tampering, a_row_written_back) {
  checked_batch b({});
  meddle_after(b, op_kind::write_back, [&](ess::device& on) {
    const ess::seat_state& seat = b.engine->seats().front();
    flip_byte(on, buffer_id::host_latents,
              (b.layout.host_rows + seat.host_base + seat.position) * b.layout.host_row_pitch + 600);
  });
  expect_first_failure(b.check(), "write_back.differing_rows 1 ");
}

TEST(tampering, a_row_appended_in_the_wrong_place) {
  checked_batch b({.system = "all_gpu"});
  meddle_after(b, op_kind::append_row, [&](ess::device& on) {
    const std::int64_t row = b.model.latent_row_bytes().value;
    const ess::seat_state& seat = b.engine->seats().front();
    const std::int64_t first = (b.layout.device_rows + seat.device_base) * row;
    swap_bytes(on, buffer_id::latents, first + seat.position * row, first + (seat.position - 1) * row, row);
  });
  expect_failure(b.check(), "append_row.differing_rows 1 ");
}

TEST(tampering, one_selected_id) {
  checked_batch b({});
  meddle_after(b, op_kind::select_topk, [&](ess::device& on) {
    const std::int64_t at = std::int64_t{b.s.batch} * b.model.top_k * std::int64_t{sizeof(ess::token_id)};
    auto ids = read_values<ess::token_id>(on, buffer_id::selected, std::int64_t{b.s.batch} * b.model.top_k,
                                          b.model.top_k);
    // The first place where a neighbour is not selected.
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      if (ids[i] + 1 >= ids[i + 1]) continue;
      ++ids[i];
      break;
    }
    on.write(buffer_id::selected, at, std::as_bytes(std::span(ids)));
  });
  expect_first_failure(b.check(), "select_topk.differing_ids 1 ");
}

TEST(tampering, a_score_and_the_ids_that_follow_from_it) {
  checked_batch b({});
  meddle_after(b, op_kind::score_keys, [&](ess::device& on) {
    const std::array<float, 1> large = {1e6f};
    on.write(buffer_id::scores, 5 * 4, std::as_bytes(std::span(large)));
  });
  const accuracy_report report = b.check();
  expect_first_failure(report, "score_keys.score");
  expect_failure(report, "select_topk.outside_rounding 1 ");
}

TEST(tampering, an_index_key_of_the_prompt) {
  checked_batch b({});
  meddle_after(b, op_kind::append_key, [&](ess::device& on) {
    const std::int64_t layer = b.layout.index_tokens * b.model.index_key_bytes().value;
    flip_byte(on, buffer_id::index_keys, layer + 40);
  });
  expect_first_failure(b.check(), "append_key.differing_bytes 1 ");
}

TEST(tampering, a_location_taken_twice) {
  checked_batch b({});
  meddle_after(b, op_kind::resolve, [&](ess::device& on) {
    const auto first = read_values<ess::row_location>(on, buffer_id::locations, 0, 1);
    on.write(buffer_id::locations, 4, std::as_bytes(std::span(first)));
  });
  expect_first_failure(b.check(), "resolve.wrong_locations 1 ");
}

// One value of each result of a compute operation.
TEST(tampering, one_value_of_each_result) {
  struct result {
    op_kind kind;
    buffer_id buffer;
    float factor;
    std::string_view figure;
  };
  constexpr std::array results = {
      result{op_kind::project_index, buffer_id::q_resid, 1.5f, "project_index.q_resid"},
      result{op_kind::project_index, buffer_id::index_weight, 2.0f, "project_index.head_weight"},
      result{op_kind::score_keys, buffer_id::scores, 1.01f, "score_keys.score"},
      result{op_kind::project_attention, buffer_id::query, 2.0f, "project_attention.query"},
      result{op_kind::attend, buffer_id::attention, 1.1f, "attend.output"},
      result{op_kind::attend, buffer_id::lse, 1.001f, "attend.lse"},
      result{op_kind::output, buffer_id::hidden, 1.01f, "output.hidden"},
      result{op_kind::feed_forward, buffer_id::hidden, 1.01f, "feed_forward.hidden"}};
  for (const result& r : results) {
    checked_batch b({});
    meddle_after(b, r.kind, [&](ess::device& on) {
      auto value = read_values<float>(on, r.buffer, 0, 1);
      value[0] *= r.factor;
      on.write(r.buffer, 0, std::as_bytes(std::span(value)));
    });
    expect_first_failure(b.check(), std::string(r.figure));
  }
}

TEST(tampering, one_value_of_a_draft_layers_input) {
  checked_batch b({.query_tokens = 2});
  b.device.after_operation = [&](ess::device& on, int run, const operation& op) {
    if (run != 1 || op.kind != op_kind::draft) return;
    auto value = read_values<float>(on, buffer_id::hidden, 0, 1);
    value[0] *= 1.01f;
    on.write(buffer_id::hidden, 0, std::as_bytes(std::span(value)));
  };
  expect_first_failure(b.check(), "draft.hidden");
}

TEST(tampering, one_value_of_each_result_of_a_mixture_of_experts) {
  struct result {
    op_kind kind;
    buffer_id buffer;
    std::int64_t element;  // of 4 bytes
    float factor;
    std::string_view figure;
  };
  constexpr std::array results = {
      result{op_kind::route, buffer_id::router_scores, 0, 1.01f, "route.score"},
      result{op_kind::route, buffer_id::expert_choice, 1, 1.01f, "route.weight"},
      result{op_kind::dispatch, buffer_id::expert_input, 0, 1.5f, "dispatch.input"},
      result{op_kind::experts, buffer_id::expert_output, 0, 2.0f, "experts.output"},
      result{op_kind::combine, buffer_id::hidden, 0, 1.01f, "combine.hidden"}};
  for (const result& r : results) {
    checked_batch b({.model = "tiny_moe"});
    meddle_after(b, r.kind, [&](ess::device& on) {
      auto value = read_values<float>(on, r.buffer, r.element, 1);
      value[0] *= r.factor;
      on.write(r.buffer, r.element * 4, std::as_bytes(std::span(value)));
    });
    expect_first_failure(b.check(), std::string(r.figure));
  }
}

// An expert that is not chosen takes the place of the first one.
TEST(tampering, one_chosen_expert) {
  checked_batch b({.model = "tiny_moe"});
  meddle_after(b, op_kind::route, [&](ess::device& on) {
    auto ids = read_values<std::int32_t>(on, buffer_id::expert_choice, 0, 1);
    const auto second = read_values<std::int32_t>(on, buffer_id::expert_choice, 2, 1);
    ids[0] = ids[0] > 0 ? ids[0] - 1 : second[0] - 1;
    if (ids[0] == 0 && second[0] == 1) ids[0] = 7;
    on.write(buffer_id::expert_choice, 0, std::as_bytes(std::span(ids)));
  });
  expect_first_failure(b.check(), "route.differing_experts 1 ");
}

TEST(tampering, two_experts_swap_a_lane) {
  checked_batch b({.model = "tiny_moe"});
  meddle_after(b, op_kind::dispatch, [&](ess::device& on) {
    auto rows = read_values<std::int32_t>(on, buffer_id::expert_rows, 0, 2);
    std::swap(rows[0], rows[1]);
    on.write(buffer_id::expert_rows, 0, std::as_bytes(std::span(rows)));
  });
  expect_first_failure(b.check(), "dispatch.wrong_rows 2 ");
}

TEST(tampering, a_merge_that_forgets_a_part) {
  checked_batch b({.overlap = ess::overlap_kind::da});
  meddle_after(b, op_kind::merge, [&](ess::device& on) {
    auto value = read_values<float>(on, buffer_id::attention, 0, 1);
    value[0] = value[0] * 1.1f;
    on.write(buffer_id::attention, 0, std::as_bytes(std::span(value)));
  });
  const accuracy_report report = b.check();
  expect_failure(report, "merge.output");
  expect_failure(report, "attend.output");
}

TEST(tampering, a_new_row_and_a_new_key) {
  checked_batch row({});
  meddle_after(row, op_kind::project_attention, [&](ess::device& on) {
    const std::int64_t at = row.s.batch * row.model.latent_row_bytes().value;
    write_bytes(on, buffer_id::latent_new, at, bytes(8, 0));
  });
  expect_first_failure(row.check(), "project_attention.code_");
  checked_batch key({});
  meddle_after(key, op_kind::project_index,
               [&](ess::device& on) { write_bytes(on, buffer_id::index_key_new, 0, bytes(8, 0)); });
  expect_first_failure(key.check(), "project_index.code_");
}

TEST(tampering, weights_of_another_seed) {
  checked_batch b({.reference_seed = 4});
  const accuracy_report report = b.check();
  expect_first_failure(report, "project_index.");
  for (const std::string figure : {"project_attention.query", "output.hidden", "feed_forward.hidden"}) {
    EXPECT_GT(report.figures.at(figure), find_bound(figure)->bound) << figure;
  }
}

TEST(tampering, rows_of_another_prefill) {
  checked_batch b({});
  ess::prefill_source other(b.model, 4);
  const accuracy_report report = b.check(other, b.requests);
  EXPECT_FALSE(report.ok);
  for (const std::string figure : {"append_key.differing_bytes", "attend.differing_rows", "attend.output"}) {
    EXPECT_GT(report.figures.at(figure), find_bound(figure)->bound) << figure;
  }
}

TEST(tampering, positions_are_one_too_far) {
  checked_batch b({});
  b.device.on_write = [](buffer_id buffer, std::vector<std::byte>& written) {
    if (buffer != buffer_id::seats) return;
    auto* seats = reinterpret_cast<ess::seat_state*>(written.data());
    for (std::size_t i = 0; i < written.size() / sizeof(ess::seat_state); ++i) ++seats[i].position;
  };
  const accuracy_report report = b.check();
  expect_first_failure(report, "project_index.");
  EXPECT_GT(report.figures.at("project_attention.query"), 0.01);
}

}  // namespace
}  // namespace harness
