// What prefill would have left: latent rows and index keys of a prompt, random by seed, the same for every
// system. Prefill itself is not run and not timed; its result is made here and handed over in bulk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "ess_core/base/units.h"
#include "ess_core/model/dims.h"

namespace ess {

struct prefill_result {
  token_id tokens = 0;
  std::vector<std::uint8_t> latents;  // [layers][tokens][row]
  std::vector<std::uint8_t> index;    // [layers][pages][page]
};

class prefill_source {
 public:
  // Requests share `distinct_prompts` prompts in turn; 0: each has its own.
  prefill_source(const model_dims& model, std::uint64_t seed, std::int32_t distinct_prompts = 0)
      : model_(model), seed_(seed), distinct_prompts_(distinct_prompts) {}

  [[nodiscard]] std::int32_t distinct_prompts() const { return distinct_prompts_; }

  // Kept for later calls, since all systems of a run serve the same requests. A longer prompt of the same
  // request begins with the shorter one's tokens.
  [[nodiscard]] std::shared_ptr<const prefill_result> get(request_id request, token_id tokens);

  // Ids that prefill selected at the last prompt positions, oldest first: [windows][layers][query tokens x
  // top-k]. The engine that finds them first leaves them here; they are part of what a request brings along.
  [[nodiscard]] const std::vector<std::vector<token_id>>* window_ids(request_id request,
                                                                     token_id tokens) const;
  void keep_window_ids(request_id request, token_id tokens, std::vector<std::vector<token_id>> ids);

  // One row, one key: what a reference compares against. row: packed; values of a key before quantisation:
  // [128].
  void make_latent_row(request_id request, std::int32_t layer, token_id token,
                       std::span<std::uint8_t> row) const;
  void make_index_key(request_id request, std::int32_t layer, token_id token, std::span<float> values) const;

 private:
  [[nodiscard]] prefill_result make(request_id request, token_id tokens) const;
  void make_part(request_id request, std::int32_t layer, token_id first, token_id end,
                 prefill_result& out) const;

  [[nodiscard]] request_id prompt_of(request_id request) const {
    return distinct_prompts_ > 0 ? request % distinct_prompts_ : request;
  }

  model_dims model_;
  std::uint64_t seed_;
  std::int32_t distinct_prompts_;
  std::map<request_id, std::shared_ptr<const prefill_result>> kept_;
  std::map<std::pair<request_id, token_id>, std::vector<std::vector<token_id>>> window_ids_;
};

}  // namespace ess
