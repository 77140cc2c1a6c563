#include "harness/measure/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace harness {
namespace {

constexpr std::array<std::string_view, 3> style_names = {"terminal", "plain", "silent"};
constexpr std::string_view erase_line = "\r\x1b[K";

ess::seconds steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

// A line longer than the terminal would wrap, and then not be erased.
std::size_t terminal_columns(std::FILE* out) {
  winsize size = {};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string state_text(const point_progress& state) {
  std::string text(state.phase);
  if (state.samples > 0) text += fmt::format(", {} samples", state.samples);
  if (state.median) text += fmt::format(", median {:.1f} us", state.median->count());
  return text;
}

}  // namespace

std::string_view to_string(progress_style style) { return style_names[static_cast<std::size_t>(style)]; }

std::optional<progress_style> parse_progress_style(std::string_view name) {
  const auto found = std::ranges::find(style_names, name);
  if (found == style_names.end()) return std::nullopt;
  return static_cast<progress_style>(found - style_names.begin());
}

progress_style style_for(std::FILE* out) {
  return isatty(fileno(out)) != 0 ? progress_style::terminal : progress_style::plain;
}

std::string duration_text(ess::seconds time) {
  const auto total = static_cast<long long>(std::llround(std::max(0.0, time.count())));
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} h {:02} min", total / 3600, total % 3600 / 60);
}

progress::progress(const progress_options& options) : options_(options) {
  if (!options_.now) options_.now = steady_now;
  start_ = options_.now();
}

progress::~progress() { clear_line(); }

void progress::begin_point(std::string_view label) {
  begun_.push_back({.label = std::string(label)});
  return_to(begun_.size());
}

void progress::return_to(std::size_t number) {
  current_ = number - 1;
  phase_.clear();
}

std::string progress::place() const {
  return fmt::format("[{}/{}] {}", current_ + 1, options_.points, begun_.at(current_).label);
}

void progress::update(const point_progress& state) {
  begun_.at(current_).done = state.done;
  if (options_.style == progress_style::silent) return;
  const bool terminal = options_.style == progress_style::terminal;
  const ess::seconds now = options_.now();
  const bool due =
      !last_write_ || now - *last_write_ >= (terminal ? options_.terminal_interval : options_.plain_interval);
  if (!due && !(terminal && phase_ != state.phase)) return;
  last_write_ = now;
  phase_ = state.phase;
  std::string line = fmt::format("{}: {}", place(), state_text(state));
  if (const auto left = time_left()) line += fmt::format(", about {} left", duration_text(*left));
  write_line(line);
}

void progress::end_point(std::string_view outcome) {
  begun_.at(current_).done = 1.0;
  message(fmt::format("{}: {}", place(), outcome));
}

void progress::message(std::string_view text) {
  if (options_.style == progress_style::silent) return;
  clear_line();
  fmt::print(options_.out, "{}\n", text);
  std::fflush(options_.out);
}

std::optional<ess::seconds> progress::time_left() const {
  constexpr double too_early = 0.02;
  double done = 0;
  for (const begun_point& point : begun_) done += point.done;
  done /= static_cast<double>(std::max(options_.points, begun_.size()));
  if (!(done >= too_early)) return std::nullopt;
  return (options_.now() - start_) * ((1.0 - done) / done);
}

void progress::write_line(std::string_view text) {
  if (options_.style == progress_style::plain) {
    message(text);
    return;
  }
  fmt::print(options_.out, "{}{}", erase_line, text.substr(0, terminal_columns(options_.out) - 1));
  std::fflush(options_.out);
  line_open_ = true;
}

void progress::clear_line() {
  if (!line_open_) return;
  fmt::print(options_.out, "{}", erase_line);
  std::fflush(options_.out);
  line_open_ = false;
}

}  // namespace harness
