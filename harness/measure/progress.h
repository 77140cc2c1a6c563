// Tells people on stderr how far a run is: one line that rewrites itself on a terminal, plain lines
// elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/base/units.h"

namespace harness {

enum class progress_style : std::uint8_t { terminal, plain, silent };
[[nodiscard]] std::string_view to_string(progress_style style);
[[nodiscard]] std::optional<progress_style> parse_progress_style(std::string_view name);
// `terminal` if `out` is one, `plain` otherwise.
[[nodiscard]] progress_style style_for(std::FILE* out);

struct progress_options {
  std::FILE* out = stderr;
  progress_style style = progress_style::plain;
  std::size_t points = 0;               // that this run has to do
  ess::seconds terminal_interval{0.1};  // at most one line in that time
  ess::seconds plain_interval{10.0};
  std::function<ess::seconds()> now = {};  // empty: the steady clock
};

// Where the current point stands.
struct point_progress {
  std::string_view phase;  // "accuracy", "warm-up", "measuring", ...
  std::size_t samples = 0;
  std::optional<ess::microseconds> median = std::nullopt;
  double done = 0.0;  // share of the point
};

class progress {
 public:
  explicit progress(const progress_options& options);
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress();  // leaves the terminal on a fresh line

  void begin_point(std::string_view label);
  // Back to a point that began earlier; 1 is the first.
  void return_to(std::size_t number);
  // Cheap: writes only if the interval is over or the phase changed on a terminal.
  void update(const point_progress& state);
  // Always one line, with `outcome` such as "ok, 812.4 us".
  void end_point(std::string_view outcome);
  // A line of its own that no progress line garbles.
  void message(std::string_view text);

  // From the time so far and the share of all points that is done; nullopt at the very beginning.
  [[nodiscard]] std::optional<ess::seconds> time_left() const;

 private:
  void write_line(std::string_view text);
  void clear_line();

  struct begun_point {
    std::string label;
    double done = 0.0;
  };

  // "[2/6] ess"
  [[nodiscard]] std::string place() const;

  progress_options options_;
  ess::seconds start_;
  std::optional<ess::seconds> last_write_;
  std::vector<begun_point> begun_;
  std::size_t current_ = 0;
  std::string phase_;
  bool line_open_ = false;
};

// "45 s", "3 min 20 s", "2 h 05 min".
[[nodiscard]] std::string duration_text(ess::seconds time);

}  // namespace harness
