#include "harness/gating/gate.h"

#include <algorithm>

namespace harness {

gate_outcome measure_and_judge(const gate_options& options, const block_source& take) {
  two_arms arms;
  take(options.blocks, arms);
  gate_outcome made{.judged = results::judge(arms.before, arms.after, options.judging)};
  if (!std::ranges::any_of(made.judged.judgements, &results::judgement::is_suspect)) return made;
  take(options.blocks, arms);
  results::judging_options of_all = options.judging;
  of_all.floors = options.floors_of_twice;
  made.judged = results::judge(arms.before, arms.after, of_all);
  made.measured_again = true;
  return made;
}

}  // namespace harness
