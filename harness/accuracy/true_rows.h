// What a request's rows and index keys ought to be, wherever a system keeps them: a prompt's token by token
// from the prefill source, a decoded token's as the device first made them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ess_core/engine/prefill.h"
#include "harness/accuracy/step_recorder.h"

namespace harness {

class true_rows {
 public:
  true_rows(const ess::model_dims& model, ess::prefill_source& prefill,
            const std::vector<ess::request>& requests, const std::vector<lane_record>& lanes);

  // As of the end of the step of `at`; empty for a token that no recorded step made.
  [[nodiscard]] std::vector<std::uint8_t> latent_row(const lane_record& at, ess::token_id token) const;
  // Codes, then scale.
  [[nodiscard]] std::vector<std::uint8_t> index_key(const lane_record& at, ess::token_id token) const;

 private:
  [[nodiscard]] ess::token_id prompt_of(ess::request_id request) const;
  [[nodiscard]] const lane_record* maker(const lane_record& at, ess::token_id token) const;

  const ess::model_dims& model_;
  ess::prefill_source& prefill_;
  const std::vector<ess::request>& requests_;
  const std::vector<lane_record>& lanes_;
};

}  // namespace harness
