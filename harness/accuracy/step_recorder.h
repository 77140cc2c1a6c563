// Drives steps of an engine and keeps what a few requests and layers had before and after each operation.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

#include "ess_core/engine/decode_engine.h"

namespace harness {

struct attention_record {
  std::vector<float> output;  // [heads][kv_lora]
  std::vector<float> lse;     // [heads]
};

// A row of a request as it lay somewhere when an operation had ended.
struct row_record {
  ess::token_id token = 0;
  std::vector<std::uint8_t> bytes;
};

// One query token in one layer of one step. Buffers are empty where the operation did not run.
struct lane_record {
  std::int32_t step = 0;
  std::int32_t layer = 0;
  std::int64_t lane = 0;
  ess::token_id position = 0;
  ess::seat_state seat;
  std::bitset<ess::op_kind_count> ran;

  std::vector<float> hidden_before_draft;  // of a draft layer: what the layer before it made
  std::vector<float> hidden_in, hidden_between,
      hidden_out;  // before project_index, after output, after feed_forward or combine
  std::vector<float> q_resid;
  std::vector<std::uint8_t> index_query;    // [index_heads][index_dim]
  std::vector<float> index_weight;          // [index_heads]
  std::vector<std::uint8_t> index_key_new;  // codes, scale
  std::vector<std::uint8_t> index_pages;    // after append_key, all of the request
  std::vector<float> scores;                // [position + 1]
  std::vector<ess::token_id> selected;      // [top_k]
  std::vector<float> query;                 // [heads][kv_lora + rope]
  std::vector<std::uint8_t> latent_new;
  std::vector<ess::row_location> locations;  // [top_k]
  std::vector<row_record> appended;          // the new row on the device, if it was selected
  std::vector<row_record> written_back;      // the new row in the host store
  std::vector<row_record> fetched;           // what arrived, where resolve said
  std::vector<std::uint8_t> streamed;        // [tokens before this step][row]
  std::vector<row_record> attended;          // every selected row, after the attend operation it belongs to
  attention_record whole;                    // after merge, or after the only attend
  attention_record resident, incoming;       // of attention in two parts

  // Of a mixture-of-experts layer; copies: of the lane's hidden state, one for each of its experts.
  std::vector<float> router_scores;               // [experts]
  std::vector<ess::expert_choice> expert_choice;  // [moe.top_k]
  std::vector<std::int32_t> expert_starts;        // [experts + 2], of the slice
  std::vector<std::int32_t> expert_rows;          // [copies]
  std::vector<float> expert_input;                // [copies][hidden]
  std::vector<float> expert_output;               // [copies][hidden]

  [[nodiscard]] bool did(ess::op_kind kind) const { return ran.test(static_cast<std::size_t>(kind)); }
};

// Of all seats after a step.
struct batch_record {
  std::vector<ess::request_id> requests;  // by seat
  std::size_t layers = 0;
  std::vector<float> hidden;            // [lanes][hidden]
  std::vector<ess::token_id> selected;  // [layers][lanes][top_k]
};

struct recorder_target {
  const ess::device& device;
  ess::decode_engine& engine;
  const ess::memory_layout& layout;
};

struct recorder_sample {
  std::vector<ess::request_id> requests;
  std::vector<std::int32_t> layers;
};

class step_recorder {
 public:
  step_recorder(const recorder_target& target, recorder_sample sample);

  void step();

  // By step, then layer, then lane.
  [[nodiscard]] const std::vector<lane_record>& lanes() const { return lanes_; }
  [[nodiscard]] const std::vector<batch_record>& batches() const { return batches_; }

 private:
  void begin();
  void record(const ess::operation& op);
  void record(const ess::operation& op, lane_record& r);
  void record_projection(const ess::operation& op, lane_record& r);
  void record_selection(const ess::operation& op, lane_record& r);
  void record_movement(const ess::operation& op, lane_record& r);
  void record_attention(const ess::operation& op, lane_record& r);
  void record_experts(const ess::operation& op, lane_record& r);
  [[nodiscard]] std::vector<float> expert_values(ess::buffer_id buffer, const lane_record& r) const;
  template <class T>
  [[nodiscard]] std::vector<T> lane_values(ess::buffer_id buffer, std::int64_t lane,
                                           std::int64_t count) const;
  [[nodiscard]] attention_record attention_of(std::int64_t part, const lane_record& r) const;
  [[nodiscard]] row_record device_row(const lane_record& r, ess::token_id token,
                                      ess::row_location location) const;

  recorder_target target_;
  recorder_sample sample_;
  std::int64_t seats_;  // of the layout: decides strides
  std::vector<lane_record> lanes_;
  std::size_t first_of_step_ = 0;
  std::vector<batch_record> batches_;
};

// What a batch's buffers hold between steps; `seats` took part in the last one.
[[nodiscard]] batch_record record_batch(const ess::device& device, const ess::memory_layout& layout,
                                        const std::vector<ess::seat_state>& seats);

}  // namespace harness
