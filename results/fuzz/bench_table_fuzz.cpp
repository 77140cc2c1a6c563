// Two files with a line "----" between them: what is wanted, and what Google Benchmark measured.
#include <nlohmann/json.hpp>

#include "cmake/fuzzing/target.h"
#include "results/bench_table.h"

namespace fuzzing {

bool accepts(std::string_view input) {
  constexpr std::string_view between = "\n----\n";
  const std::size_t at = std::min(input.find(between), input.size());
  try {
    const auto targets = results::read_bench_targets(input.substr(0, at), "targets.json");
    results::bench_results measured;
    measured.add(input.substr(std::min(at + between.size(), input.size())), "measured.json");
    const auto rows = results::judge(targets, measured);
    require(rows.size() == targets.size(), "a row for each target");
    require(!results::bench_table_text(rows, measured).empty(), "a table has a header");
    (void)results::bench_table_markdown(rows, measured);
    (void)results::bench_table_json(rows, measured).dump();
    return true;
  } catch (const results::bench_error&) {
    return false;
  }
}

}  // namespace fuzzing
