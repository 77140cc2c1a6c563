#include "workloads/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "ess_core/base/digest.h"

namespace workloads {
namespace {

using log_t = std::vector<request_spec>;
namespace fs = std::filesystem;

const std::string mooncake =
    "{\"timestamp\": 1000, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1]}\n"
    "{\"timestamp\": 4500, \"input_length\": 20, \"output_length\": 3, \"hash_ids\": []}\n"
    "{\"timestamp\": 1250.5, \"input_length\": 7, \"output_length\": 0}\n";

const std::string azure =
    "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    "2023-11-16 23:59:59.9799600,4808,10\r\n"
    "2023-11-17 00:00:01,3180,8\r\n"
    "2023-11-17 00:00:00.97996,110,27";  // published files end without a line break

std::string error_of(const std::string& text) {
  const auto log = parse_request_log(text, "log");
  return log ? "none" : to_string(log.error());
}

TEST(request_log, reads_mooncake_and_sorts_by_time) {
  EXPECT_EQ(parse_request_log(mooncake, "log").value(),
            (log_t{{0.0, 6758, 500}, {0.2505, 7, 0}, {3.5, 20, 3}}));
}

TEST(request_log, reads_azure_with_fractions_across_midnight) {
  EXPECT_EQ(parse_request_log(azure, "log").value(),
            (log_t{{0.0, 4808, 10}, {1.0, 110, 27}, {1.02004, 3180, 8}}));
}

TEST(request_log, azure_columns_may_be_in_any_order_and_have_a_zone) {
  const std::string text =
      "\xEF\xBB\xBF"
      "ContextTokens,TIMESTAMP,GeneratedTokens\n5,2024-05-10 "
      "00:00:00.009930+00:00,6\n\n7,2024-05-10T00:00:01.00993Z,8\n";
  EXPECT_EQ(parse_request_log(text, "log").value(), (log_t{{0.0, 5, 6}, {1.0, 7, 8}}));
}

TEST(request_log, keeps_the_order_of_requests_at_the_same_time) {
  const std::string at_once =
      "{\"timestamp\": 0, \"input_length\": 2, \"output_length\": 1}\n"
      "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n";
  EXPECT_EQ(parse_request_log(at_once, "log").value(), (log_t{{0.0, 2, 1}, {0.0, 1, 1}}));
}

TEST(request_log, mooncake_errors_name_line_and_value) {
  EXPECT_EQ(error_of(mooncake + "{\"timestamp\": 5000, \"input_le"),
            "log:4: the last line is cut off; was the file copied completely?");
  EXPECT_EQ(error_of("{\"timestamp\": 0,\n" + mooncake), "log:1: not a JSON object: {\"timestamp\": 0,");
  EXPECT_EQ(error_of(mooncake + "[1]\n"), "log:4: not a JSON object: [1]");
  EXPECT_EQ(error_of(mooncake + "{\"timestamp\": 1, \"input_length\": 3}\n"),
            "log:4: missing key 'output_length'");
  EXPECT_EQ(error_of("{\"input_length\": 3}\n"), "log:1: missing key 'timestamp'");
  EXPECT_EQ(error_of("{\"timestamp\": -5, \"input_length\": 3, \"output_length\": 3}\n"),
            "log:1: 'timestamp' is -5, but must be in [0, 4000000000000] ms");
  EXPECT_EQ(error_of("{\"timestamp\": \"x\", \"input_length\": 3, \"output_length\": 3}\n"),
            "log:1: 'timestamp' must be a number, not \"x\"");
  EXPECT_EQ(error_of("{\"timestamp\": 5, \"input_length\": -3, \"output_length\": 3}\n"),
            "log:1: 'input_length' is -3, but must be in [0, 268435456]");
  EXPECT_EQ(error_of("{\"timestamp\": 5, \"input_length\": 3.5, \"output_length\": 3}\n"),
            "log:1: 'input_length' must be a whole number, not 3.5");
}

TEST(request_log, azure_errors_name_line_and_value) {
  const std::string header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  const std::string good = "2023-11-16 18:17:03.97,1,2\n";
  EXPECT_EQ(error_of(header + good + "2023-11-16 18:1"),
            "log:3: the last line is cut off; was the file copied completely?");
  EXPECT_EQ(error_of(header + good + "2023-11-16 18:17:04.0,5,"),
            "log:3: the last line is cut off; was the file copied completely?");
  EXPECT_EQ(error_of(header + "2023-11-16 18:17:03,5\n" + good), "log:2: 2 cells, but the header has 3");
  EXPECT_EQ(error_of(header + "2023-11-16 18:17:03,5,-1\n"),
            "log:2: 'GeneratedTokens' is -1, but must be in [0, 268435456]");
  EXPECT_EQ(error_of(header + "2023-11-16 18:17:03,5,1x\n"),
            "log:2: 'GeneratedTokens' must be a whole number, not '1x'");
  for (const auto* time :
       {"2023-13-16 18:17:03", "2023-02-30 18:17:03", "2023-11-16 24:17:03", "2023-11-16 18:17",
        "2023-11-16 18:17:03.", "2023-11-16 18:17:03.1x", "2023/11/16 18:17:03", ""}) {
    EXPECT_EQ(
        error_of(header + time + ",5,1\n"),
        fmt::format("log:2: 'TIMESTAMP' is not a time: '{}'; write it as 2023-11-16 18:17:03.979", time));
  }
  EXPECT_EQ(
      error_of("TIMESTAMP,ContextTokens\n" + good),
      "log:1: missing column 'GeneratedTokens'; the columns are TIMESTAMP, ContextTokens, GeneratedTokens");
  EXPECT_EQ(error_of(header), "log: no requests in this log");
}

TEST(request_log, other_files_are_refused) {
  EXPECT_EQ(error_of(""), "log: no requests in this log");
  EXPECT_EQ(
      error_of("time,tokens\n1,2\n"),
      "log:1: not a request log: time,tokens; known are Mooncake's JSON lines ({\"timestamp\": ...) and "
      "Azure's CSV (TIMESTAMP,ContextTokens,...)");
}

TEST(fit_requests, without_a_limit_nothing_changes_but_empty_lengths) {
  const request_log fitted = fit_requests({{0.0, 10, 0}, {2.0, 5, 5}}, 10, {.count = 0});
  EXPECT_EQ(fitted.requests, (log_t{{0.0, 10, 1}, {2.0, 5, 5}}));
  EXPECT_EQ(fitted.length_scale, 1.0);
  EXPECT_EQ(fitted.clipped, 0);
}

TEST(fit_requests, scales_so_that_the_longest_of_the_whole_log_fits) {
  const request_log fitted = fit_requests({{0.0, 100, 10}, {1.0, 350, 50}}, 400,
                                          {.count = 1, .max_context_tokens = 100, .time_scale = 0.5});
  EXPECT_EQ(fitted.requests, (log_t{{0.0, 25, 2}}));
  EXPECT_EQ(fitted.length_scale, 0.25);
  const request_log all = fit_requests({{0.0, 100, 10}, {1.0, 350, 50}}, 400,
                                       {.count = 0, .max_context_tokens = 100, .time_scale = 0.5});
  EXPECT_EQ(all.requests, (log_t{{0.0, 25, 2}, {0.5, 87, 12}}));
  EXPECT_EQ(all.clipped, 0);
}

TEST(fit_requests, an_explicit_scale_cuts_prompts_first) {
  const request_log fitted = fit_requests({{0.0, 100, 10}, {1.0, 10, 200}, {2.0, 5, 5}}, 210,
                                          {.count = 0, .max_context_tokens = 50, .length_scale = 1.0});
  EXPECT_EQ(fitted.requests, (log_t{{0.0, 40, 10}, {1.0, 1, 49}, {2.0, 5, 5}}));
  EXPECT_EQ(fitted.clipped, 2);
}

double mean(const log_t& log, int request_spec::*member) {
  double sum = 0.0;
  for (const request_spec& r : log) sum += r.*member;
  return sum / static_cast<double>(log.size());
}

int rank(log_t log, int request_spec::*member, double level) {
  std::ranges::sort(log, {}, member);
  return log[static_cast<std::size_t>(level * static_cast<double>(log.size()))].*member;
}

TEST(synthetic_requests, resemble_the_conversation_log) {
  const log_t log = synthetic_requests({.rate_per_s = 4.0, .count = 20000}, 1);
  EXPECT_NEAR(mean(log, &request_spec::prompt_tokens), 12035, 0.04 * 12035);
  EXPECT_NEAR(mean(log, &request_spec::output_tokens), 343, 0.04 * 343);
  EXPECT_NEAR(rank(log, &request_spec::prompt_tokens, 0.5), 6909, 0.04 * 6909);
  EXPECT_NEAR(rank(log, &request_spec::prompt_tokens, 0.95), 39550, 0.04 * 39550);
  EXPECT_NEAR(rank(log, &request_spec::output_tokens, 0.5), 350, 0.04 * 350);
  EXPECT_NEAR(rank(log, &request_spec::output_tokens, 0.95), 698, 0.04 * 698);
}

TEST(synthetic_requests, arrive_as_a_poisson_process) {
  const log_t log = synthetic_requests({.rate_per_s = 4.0, .count = 20000}, 1);
  double squares = 0.0;
  for (std::size_t i = 1; i < log.size(); ++i) {
    const double gap = log[i].arrival_s - log[i - 1].arrival_s;
    ASSERT_GE(gap, 0.0);
    squares += gap * gap;
  }
  const double gaps = static_cast<double>(log.size() - 1);
  EXPECT_EQ(log[0].arrival_s, 0.0);
  EXPECT_NEAR(log.back().arrival_s / gaps, 0.25, 0.01);
  EXPECT_NEAR(squares / gaps, 2 * 0.25 * 0.25, 0.01);  // of an exponential: twice the squared mean
}

TEST(synthetic_requests, a_longer_log_begins_with_the_shorter_one) {
  const log_t few = synthetic_requests({.count = 3}, 7);
  log_t more = synthetic_requests({.count = 9}, 7);
  more.resize(3);
  EXPECT_EQ(few, more);
  EXPECT_NE(few, synthetic_requests({.count = 3}, 8));
}

std::string printed(const log_t& log) {
  std::string text;
  for (const request_spec& r : log)
    text += fmt::format("{:a} {} {}\n", r.arrival_s, r.prompt_tokens, r.output_tokens);
  return text;
}

TEST(synthetic_requests, are_the_same_bits_on_every_machine) {
  EXPECT_EQ(ess::sha256_hex(printed(synthetic_requests({.rate_per_s = 4.0, .count = 1000}, 1))),
            "67240f5aa8bc283adebd33a78f9f0accd2bcc7323124848e9666fc92a5bc813c");
}

TEST(digest, matches_the_published_known_answer) {  // FIPS 180-2, appendix B.1
  EXPECT_EQ(ess::sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(make_requests, finds_a_log_beside_the_workload_file) {
  const fs::path folder = fs::path(testing::TempDir()) / "essbench_requests";
  fs::create_directories(folder);
  std::ofstream(folder / "beside.jsonl") << mooncake;
  settings s;
  s.kind = workload_kind::serve;
  s.requests.trace = "beside.jsonl";
  s.requests.max_context_tokens = 7258;
  const auto made = make_requests(s, folder / "w.json");
  fs::remove_all(folder);
  ASSERT_TRUE(made.has_value()) << to_string(made.error());
  EXPECT_EQ(made->requests.size(), 3u);
  EXPECT_EQ(made->length_scale, 1.0);
  s.requests.trace = "elsewhere.jsonl";
  EXPECT_EQ(to_string(make_requests(s, folder / "w.json").error()), "elsewhere.jsonl: no such file");
}

TEST(make_requests, draws_without_a_log_and_fits_the_context) {
  settings s;
  s.kind = workload_kind::serve;
  s.requests.count = 500;
  s.requests.max_context_tokens = 4096;
  const request_log made = make_requests(s, "w.json").value();
  EXPECT_EQ(made.requests.size(), 500u);
  EXPECT_EQ(made.clipped, 0);
  for (const request_spec& r : made.requests) {
    EXPECT_GE(r.prompt_tokens, 1);
    EXPECT_GE(r.output_tokens, 1);
    EXPECT_LE(r.prompt_tokens + r.output_tokens, 4096);
  }
}

}  // namespace
}  // namespace workloads
