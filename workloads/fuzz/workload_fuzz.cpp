// A workload file, after lines with options: "--set path=value".
#include "cmake/fuzzing/target.h"
#include "workloads/spec.h"

namespace fuzzing {
namespace {

constexpr std::string_view option = "--set ";

workloads::spec_options take_options(std::string_view& input) {
  workloads::spec_options options;
  while (input.starts_with(option)) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    options.set.emplace_back(input.substr(option.size(), end - option.size()));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return options;
}

}  // namespace

bool accepts(std::string_view input) {
  const workloads::spec_options options = take_options(input);
  const auto read = workloads::parse_workload(input, "fuzzed.json", options);
  if (!read) {
    require(!to_string(read.error()).empty(), "an error has words");
    return false;
  }
  const auto again = workloads::parse_workload(read->resolved_json, "resolved.json");
  require(again.has_value(), "the resolved form is a workload");
  require(again->hash == read->hash, "the resolved form is the same workload");
  require(again->points.size() == read->points.size(), "it has the same points");
  return true;
}

}  // namespace fuzzing
