#include "harness/measure/progress.h"

#include <cstdlib>

namespace harness {
namespace {

using ess::microseconds;
using ess::seconds;

// A progress that writes to memory and is told the time.
class written_progress : public testing::Test {
 protected:
  ~written_progress() override {
    std::fclose(out_);
    std::free(text_);
  }

  progress_options options(progress_style style, std::size_t points) {
    return {.out = out_, .style = style, .points = points, .now = [this] { return seconds(time_); }};
  }

  std::string written() {
    std::fflush(out_);
    return {text_, size_};
  }

  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* out_ = open_memstream(&text_, &size_);
  double time_ = 1000.0;
};

TEST_F(written_progress, writes_few_plain_lines) {
  progress report(options(progress_style::plain, 2));
  report.begin_point("ess, batch 4");
  for (int i = 0; i < 25; ++i, time_ += 1.0) {
    report.update({.phase = "measuring", .samples = 10, .median = microseconds(812.44)});
  }
  report.end_point("ok, 812.4 us");
  EXPECT_EQ(written(),
            "[1/2] ess, batch 4: measuring, 10 samples, median 812.4 us\n"
            "[1/2] ess, batch 4: measuring, 10 samples, median 812.4 us\n"
            "[1/2] ess, batch 4: measuring, 10 samples, median 812.4 us\n"
            "[1/2] ess, batch 4: ok, 812.4 us\n");
}

TEST_F(written_progress, rewrites_one_line_on_a_terminal_and_shows_a_new_phase_at_once) {
  {
    progress report(options(progress_style::terminal, 1));
    report.begin_point("p");
    report.update({.phase = "warm-up"});
    report.update({.phase = "warm-up"});
    report.update({.phase = "measuring", .samples = 1});
  }
  EXPECT_EQ(written(), "\r\x1b[K[1/1] p: warm-up\r\x1b[K[1/1] p: measuring, 1 samples\r\x1b[K");
}

TEST_F(written_progress, keeps_messages_apart_from_the_terminal_line) {
  progress report(options(progress_style::terminal, 1));
  report.begin_point("p");
  report.update({.phase = "warm-up"});
  report.message("note");
  EXPECT_EQ(written(), "\r\x1b[K[1/1] p: warm-up\r\x1b[Knote\n");
}

TEST_F(written_progress, cuts_lines_that_would_wrap) {
  progress report(options(progress_style::terminal, 1));
  report.begin_point(std::string(500, 'x'));
  report.update({.phase = "warm-up"});
  EXPECT_EQ(written().size(),
            79U + 4U);  // no terminal behind it: 80 columns, and the four characters that erase
}

TEST_F(written_progress, says_nothing_when_silent) {
  progress report(options(progress_style::silent, 1));
  report.begin_point("p");
  report.update({.phase = "warm-up"});
  report.end_point("ok");
  report.message("note");
  EXPECT_EQ(written(), "");
}

TEST_F(written_progress, estimates_the_time_left_from_what_is_done) {
  progress report(options(progress_style::plain, 4));
  EXPECT_EQ(report.time_left(), std::nullopt);
  report.begin_point("a");
  EXPECT_EQ(report.time_left(), std::nullopt);
  time_ += 10;
  report.end_point("ok");
  EXPECT_EQ(report.time_left(), seconds(30));
  report.begin_point("b");
  time_ += 10;
  report.update({.phase = "measuring", .done = 0.6});
  EXPECT_NEAR(report.time_left().value().count(), 30, 1e-9);
  EXPECT_THAT(written(), testing::EndsWith("[2/4] b: measuring, about 30 s left\n"));
  for (const char* label : {"c", "d"}) report.begin_point(label);
  for (const std::size_t number : {2, 3, 4}) {
    report.return_to(number);
    report.end_point("ok");
  }
  EXPECT_EQ(report.time_left(), seconds(0));
}

TEST_F(written_progress, returns_to_a_point_that_began_before_another) {
  progress report(options(progress_style::plain, 2));
  report.begin_point("a");
  report.begin_point("b");
  report.return_to(1);
  report.end_point("ok");
  report.return_to(2);
  report.end_point("noisy");
  EXPECT_EQ(written(), "[1/2] a: ok\n[2/2] b: noisy\n");
}

TEST(duration_text, takes_the_unit_that_fits) {
  EXPECT_EQ(duration_text(seconds(-3)), "0 s");
  EXPECT_EQ(duration_text(seconds(59.4)), "59 s");
  EXPECT_EQ(duration_text(seconds(59.6)), "1 min 00 s");
  EXPECT_EQ(duration_text(seconds(200)), "3 min 20 s");
  EXPECT_EQ(duration_text(seconds(7500)), "2 h 05 min");
}

TEST(progress_style, survives_a_round_trip_and_a_file_is_no_terminal) {
  for (const progress_style style :
       {progress_style::terminal, progress_style::plain, progress_style::silent}) {
    EXPECT_EQ(parse_progress_style(to_string(style)), style);
  }
  EXPECT_EQ(parse_progress_style("loud"), std::nullopt);
  std::FILE* const file = std::tmpfile();
  EXPECT_EQ(style_for(file), progress_style::plain);
  std::fclose(file);
}

}  // namespace
}  // namespace harness
