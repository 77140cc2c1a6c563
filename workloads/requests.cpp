#include "workloads/requests.h"

#include <algorithm>

#include "workloads/spec.h"

namespace workloads {
namespace {

namespace fs = std::filesystem;

double scale_for(int longest, const settings::request_settings& to) {
  if (to.length_scale > 0.0) return to.length_scale;
  if (to.max_context_tokens == 0 || longest <= to.max_context_tokens) return 1.0;
  return static_cast<double>(to.max_context_tokens) / longest;
}

int scaled(int tokens, double scale) {
  constexpr double most = 1 << 28;
  return static_cast<int>(std::max(1.0, std::min(most, tokens * scale)));
}

bool clip(request_spec& request, int most) {
  if (most == 0 || request.prompt_tokens + request.output_tokens <= most) return false;
  request.output_tokens = std::min(request.output_tokens, most - 1);
  request.prompt_tokens = std::min(request.prompt_tokens, most - request.output_tokens);
  return true;
}

int longest_of(const std::vector<request_spec>& log) {
  int longest = 0;
  for (const request_spec& r : log) longest = std::max(longest, r.prompt_tokens + r.output_tokens);
  return longest;
}

fs::path trace_file(const fs::path& trace, const fs::path& workload_file) {
  std::error_code ignored;
  if (trace.is_absolute() || fs::exists(trace, ignored)) return trace;
  const fs::path beside = workload_file.parent_path() / trace;
  return fs::exists(beside, ignored) ? beside : trace;
}

}  // namespace

request_log fit_requests(std::vector<request_spec> log, int longest, const settings::request_settings& to) {
  if (to.count > 0 && log.size() > static_cast<std::size_t>(to.count))
    log.resize(static_cast<std::size_t>(to.count));
  request_log fitted{.requests = std::move(log), .length_scale = scale_for(longest, to)};
  for (request_spec& r : fitted.requests) {
    r.arrival_s *= to.time_scale;
    r.prompt_tokens = scaled(r.prompt_tokens, fitted.length_scale);
    r.output_tokens = scaled(r.output_tokens, fitted.length_scale);
    if (clip(r, to.max_context_tokens)) ++fitted.clipped;
  }
  return fitted;
}

result<request_log> make_requests(const settings& of, const fs::path& workload_file) {
  const auto& wanted = of.requests;
  if (wanted.trace.empty()) {
    const int longest = wanted.prompt_tokens_max + wanted.output_tokens_max;
    return fit_requests(synthetic_requests(wanted, of.seed), longest, wanted);
  }
  const fs::path file = trace_file(wanted.trace, workload_file);
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  auto log = parse_request_log(*text, file.filename().string());
  if (!log) return tl::unexpected(log.error());
  const int longest = longest_of(*log);
  return fit_requests(std::move(*log), longest, wanted);
}

}  // namespace workloads
