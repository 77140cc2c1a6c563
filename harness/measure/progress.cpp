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
  point_start_ = options_.now();
}

progress::~progress() { clear_line(); }

void progress::begin_point(std::string_view label) {
  ++begun_;
  label_ = label;
  phase_.clear();
  point_start_ = options_.now();
}

void progress::update(const point_progress& state) {
  if (options_.style == progress_style::silent) return;
  const bool terminal = options_.style == progress_style::terminal;
  const ess::seconds now = options_.now();
  const bool due =
      !last_write_ || now - *last_write_ >= (terminal ? options_.terminal_interval : options_.plain_interval);
  if (!due && !(terminal && phase_ != state.phase)) return;
  last_write_ = now;
  phase_ = state.phase;
  std::string line = fmt::format("[{}/{}] {}: {}", begun_, options_.points, label_, state_text(state));
  if (const auto left = time_left()) line += fmt::format(", about {} left", duration_text(*left));
  write_line(line);
}

void progress::end_point(std::string_view outcome) {
  ++done_;
  done_time_ += options_.now() - point_start_;
  message(fmt::format("[{}/{}] {}: {}", begun_, options_.points, label_, outcome));
}

void progress::message(std::string_view text) {
  if (options_.style == progress_style::silent) return;
  clear_line();
  fmt::print(options_.out, "{}\n", text);
  std::fflush(options_.out);
}

std::optional<ess::seconds> progress::time_left() const {
  if (done_ == 0) return std::nullopt;
  const ess::seconds each = done_time_ / static_cast<double>(done_);
  const auto unbegun = static_cast<double>(options_.points - std::min(options_.points, begun_));
  const bool in_point = begun_ > done_;
  const ess::seconds here = in_point ? each - (options_.now() - point_start_) : ess::seconds(0);
  return std::max(here, ess::seconds(0)) + each * unbegun;
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
