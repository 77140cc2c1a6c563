#include "cmake/fuzzing/target.h"
#include "workloads/requests.h"

namespace fuzzing {

bool accepts(std::string_view input) {
  auto log = workloads::parse_request_log(input, "fuzzed.jsonl");
  if (!log) return false;
  require(!log->empty(), "a log has requests");
  require(log->front().arrival_s == 0.0, "the first request arrives at 0 s");
  int longest = 1;
  double before = 0.0;
  for (const workloads::request_spec& request : *log) {
    require(request.arrival_s >= before, "requests are in the order of arrival");
    require(request.prompt_tokens >= 0 && request.output_tokens >= 0, "lengths are not negative");
    before = request.arrival_s;
    longest = std::max(longest, request.prompt_tokens + request.output_tokens);
  }
  const workloads::settings::request_settings model;
  for (const auto& request : workloads::fit_requests(*std::move(log), longest, model).requests) {
    require(request.prompt_tokens >= 1 && request.output_tokens >= 1, "fitted lengths are at least 1");
  }
  return true;
}

}  // namespace fuzzing
