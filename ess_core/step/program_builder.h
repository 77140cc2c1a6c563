// Turns a sequence of operations into a program: it fills in what each reads and writes, and derives from
// that what each has to wait for. A builder of systems or overlaps says only *which* operations, in which
// order, on which stream; reordering them cannot create a race.
#pragma once

#include "ess_core/model/dims.h"
#include "ess_core/step/operation.h"

namespace ess {

// The shape a program is built for.
struct batch_shape {
  std::int32_t seats = 1;         // places for requests
  std::int32_t query_tokens = 1;  // per request and step: 1 + draft tokens
};

class program_builder {
 public:
  program_builder(const model_dims& model, batch_shape shape, std::int32_t latent_copies);

  [[nodiscard]] const model_dims& model() const { return model_; }
  [[nodiscard]] batch_slice whole_batch() const { return {0, program_.seats}; }

  // Appends; `accesses` and `waits` of `op` are filled in here.
  void add(operation op);
  [[nodiscard]] step_program finish() &&;

 private:
  void derive_waits(operation& op);

  model_dims model_;
  step_program program_;
  // For every operation so far: per stream, how many of that stream's operations are known to be complete
  // when it starts (a vector clock).
  std::vector<std::vector<std::int32_t>> known_;
  std::vector<std::vector<std::int32_t>> on_stream_;
};

}  // namespace ess
