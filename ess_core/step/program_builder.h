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

// The larger half first; one seat has no second half.
[[nodiscard]] std::vector<batch_slice> halves_of(batch_slice slice);

class program_builder {
 public:
  program_builder(const model_dims& model, batch_shape shape, std::int32_t latent_copies);

  [[nodiscard]] const model_dims& model() const { return model_; }
  [[nodiscard]] batch_slice whole_batch() const { return {0, program_.seats}; }

  // Appends; `accesses` and `waits` of `op` are filled in at the end.
  void add(operation op);
  // Here operations of another micro-batch may come between: something was started that takes its time.
  void pause();
  // Lays the other's operations between this one's: up to the next pause of the one, then of the other. This
  // one goes ahead by `lead` pauses.
  void take_turns_with(program_builder other, std::size_t lead = 0);
  [[nodiscard]] step_program finish() &&;

 private:
  model_dims model_;
  step_program program_;  // no operations yet
  std::vector<std::vector<operation>> parts_ = {{}};
};

}  // namespace ess
