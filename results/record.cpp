#include "results/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

#include "ess_core/base/digest.h"

namespace results {
namespace {

constexpr std::array<std::string_view, attempt_status_count> status_names = {
    "ok",    "incorrect", "unsupported", "out_of_memory", "timeout",
    "error", "noisy",     "throttled",   "cancelled",     "skipped"};

std::optional<int> digits(std::string_view text, std::size_t from, std::size_t count) {
  int value = 0;
  for (const char c : text.substr(from, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::string to_iso8601(utc_time at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::optional<utc_time> parse_iso8601(std::string_view text) {
  if (text.size() != 24) return std::nullopt;
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  const auto millisecond = digits(text, 20, 3);
  if (!year || !month || !day || !hour || !minute || !second || !millisecond) return std::nullopt;
  const std::chrono::year_month_day date = std::chrono::year(*year) / *month / *day;
  if (!date.ok()) return std::nullopt;
  const utc_time at = std::chrono::sys_days(date) + std::chrono::hours(*hour) +
                      std::chrono::minutes(*minute) + std::chrono::seconds(*second) +
                      std::chrono::milliseconds(*millisecond);
  if (to_iso8601(at) != text) return std::nullopt;  // separators, and fields beyond their range
  return at;
}

std::string_view to_string(attempt_status status) {
  return status_names.at(static_cast<std::size_t>(status));
}

std::optional<attempt_status> parse_attempt_status(std::string_view name) {
  const auto at = std::ranges::find(status_names, name);
  if (at == status_names.end()) return std::nullopt;
  return static_cast<attempt_status>(at - status_names.begin());
}

bool is_measured(attempt_status status) {
  return status == attempt_status::ok || status == attempt_status::noisy ||
         status == attempt_status::throttled;
}

bool is_finished(attempt_status status) {
  return status != attempt_status::cancelled && status != attempt_status::skipped;
}

std::string new_run_id() {
  std::random_device entropy;
  std::array<std::uint32_t, 4> word{};
  for (auto& w : word) w = entropy();
  word[1] = (word[1] & 0xffff0fffu) | 0x00004000u;  // RFC 9562: version 4
  word[2] = (word[2] & 0x3fffffffu) | 0x80000000u;  // variant 10
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:04x}{:08x}", word[0], word[1] >> 16, word[1] & 0xffffu,
                     word[2] >> 16, word[2] & 0xffffu, word[3]);
}

std::string run_id_of(std::string_view bytes) {
  std::string hex = ess::sha256_hex(bytes);
  hex[12] = '8';                  // RFC 9562: version 8
  hex[16] = "89ab"[hex[16] & 3];  // variant 10
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20, 12));
}

std::string point_identity(const point_record& point, std::string_view workload_hash) {
  const nlohmann::json all = {workload_hash, point.label,     point.system,   point.device,
                              point.clock,   point.requested, point.effective};
  return ess::sha256_hex(all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

bool is_time_unit(std::string_view unit) {
  static constexpr std::array<std::string_view, 4> times = {"ns", "us", "ms", "s"};
  return std::ranges::find(times, unit) != times.end() || unit.ends_with("/s");
}

const metric_value* find_metric(const loaded_point& point, std::string_view name) {
  const attempt_record* last = point.last();
  if (last == nullptr || !is_measured(last->status)) return nullptr;
  const auto at = last->metrics.find(std::string(name));
  return at == last->metrics.end() ? nullptr : &at->second;
}

}  // namespace results
