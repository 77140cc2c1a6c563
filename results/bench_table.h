// What micro-benchmarks measured, held against what they should reach: Google Benchmark's JSON and a list of
// targets in, a table out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/google_benchmark.h"

namespace results {

// One number of a benchmark: a counter or rate of its JSON ("flops", "bytes_per_second", "items_per_second"),
// or "ns_per_item", which is made of the latter.
struct bench_source {
  std::string benchmark;  // its name with all arguments
  std::string counter;
};

// {"what", "benchmark", "counter", "against": {"what", "benchmark", "counter"}, "at_least" or "at_most"}; all
// but the first three may be missing. The bound is one of the ratio, or of the number itself if there is
// nothing to compare it with.
struct bench_target {
  std::string what;
  bench_source measured;
  std::string against_what;
  std::optional<bench_source> against;
  std::optional<double> at_least;
  std::optional<double> at_most;
};

// {"rows": [target, ...]}, strictly: no other key. `file` is for messages.
[[nodiscard]] std::vector<bench_target> read_bench_targets(std::string_view json, std::string_view file);

// The runs of one or more benchmark programs.
class bench_results {
 public:
  // Throws bench_error for anything but Google Benchmark's JSON, and for a benchmark of an earlier file.
  void add(std::string_view json, std::string_view file);

  // A value for each repetition. Throws bench_error if there is no such benchmark or counter.
  [[nodiscard]] std::vector<double> values(const bench_source& source) const;
  // Why a benchmark did not run, in its own words; empty if it did.
  [[nodiscard]] std::string skipped(const bench_source& source) const;
  // What programs say of the machine, by key, the first one's word counting ("simd").
  [[nodiscard]] const std::map<std::string, std::string>& context() const { return context_; }

 private:
  struct measured {
    benchmark_rows rows;
    std::string file;
  };
  const benchmark_rows& find(const std::string& benchmark) const;

  std::map<std::string, measured> benchmarks_;
  std::map<std::string, std::string> context_;
};

enum class bench_verdict : std::uint8_t { met, short_of, not_measured, no_bound };
[[nodiscard]] std::string_view to_string(bench_verdict verdict);

struct bench_row {
  bench_target target;
  double value = 0;   // median over repetitions
  double spread = 0;  // half the range of the repetitions, of the median
  std::optional<double> against;
  std::optional<double> ratio;  // value / against
  bench_verdict verdict = bench_verdict::no_bound;
  std::string reason;  // why it was not measured

  // What the bound is of.
  [[nodiscard]] double judged() const { return ratio.value_or(value); }
  // By which part of the bound it is missed.
  [[nodiscard]] double shortfall() const;
};

// One row a target. Throws bench_error if a target names a benchmark or a counter that is not there.
[[nodiscard]] std::vector<bench_row> judge(const std::vector<bench_target>& targets,
                                           const bench_results& measured);

[[nodiscard]] std::string bench_table_text(const std::vector<bench_row>& rows, const bench_results& measured);
[[nodiscard]] std::string bench_table_markdown(const std::vector<bench_row>& rows,
                                               const bench_results& measured);
[[nodiscard]] nlohmann::ordered_json bench_table_json(const std::vector<bench_row>& rows,
                                                      const bench_results& measured);

}  // namespace results
