#include "harness/command_line/measured_arms.h"

#include <fmt/format.h>

#include "harness/command_line/command.h"
#include "harness/command_line/stored_run.h"
#include "harness/gating/program.h"

namespace harness {
namespace {

std::vector<std::string> command_of(const measured_arm& arm, const measured_arms_options& options) {
  std::vector<std::string> words = {"run",      options.workload, "--db",   arm.database,
                                    "--device", options.device,   "--quiet"};
  for (const std::string& set : options.set) words.insert(words.end(), {"--set", set});
  for (const std::string& system : options.systems) words.insert(words.end(), {"--system", system});
  return words;
}

// Points that are wrong or failed are in the store, and judged from there.
bool has_stored(int code) {
  return code == static_cast<int>(exit_code::ok) || code == static_cast<int>(exit_code::incorrect) ||
         code == static_cast<int>(exit_code::points_failed);
}

std::string short_step(const results::loaded_run& run) {
  std::string text;
  for (const results::loaded_point& point : run.points) {
    const auto* step = results::find_metric(point, "step_time_us");
    text += fmt::format("{}{}", text.empty() ? "" : " ",
                        step == nullptr ? "-" : fmt::format("{:.2f}", step->median * 1e-3));
  }
  return text;
}

}  // namespace

results::loaded_run run_once(const measured_arm& arm, const measured_arms_options& options) {
  const program_end end = run_program(arm.program, command_of(arm, options));
  if (end.exit_code == static_cast<int>(exit_code::interrupted))
    refuse(exit_code::interrupted, "interrupted");
  if (!has_stored(end.exit_code)) {
    refuse(exit_code::incomparable, fmt::format("{} ended with exit code {}:\n{}", arm.program.string(),
                                                end.exit_code, end.last_words));
  }
  return load_named_run(arm.database);
}

void measured_arms::take(std::size_t blocks, two_arms& into) {
  for (std::size_t taken = 0; taken < blocks; ++taken) {
    const std::size_t block = into.before.size();
    for (const which_arm turn : {first_of_block(block), other(first_of_block(block))}) {
      const bool is_before = turn == which_arm::before;
      (is_before ? into.before : into.after)
          .push_back(run_once(is_before ? options_.before : options_.after, options_));
    }
    tell(fmt::format("block {}: ms a step, before {}; after {}", block + 1, short_step(into.before.back()),
                     short_step(into.after.back())));
  }
}

}  // namespace harness
