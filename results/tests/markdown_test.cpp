#include "results/markdown.h"

namespace results {
namespace {

TEST(markdown, text_is_inert) {
  EXPECT_EQ(markdown_text("a|b <img> `c` *d* _e_ \\f"), "a\\|b \\<img> \\`c\\` \\*d\\* \\_e\\_ \\\\f");
  EXPECT_EQ(markdown_text("[x](http://y)"), "[x\\](http://y)");
  EXPECT_EQ(markdown_text("[x][y]"), "[x\\][y]");
  EXPECT_EQ(markdown_text("# a ~b~ &lt;"), "\\# a \\~b\\~ \\&lt;");
  EXPECT_EQ(markdown_text("two\nlines"), "two lines");
}

TEST(markdown, intervals_stay_readable) { EXPECT_EQ(markdown_text("[1.8, 2.0]"), "[1.8, 2.0]"); }

TEST(markdown, tables) {
  EXPECT_EQ(markdown_heading({"a", "b"}), "| a | b |\n|---|---|\n");
  EXPECT_EQ(markdown_row({"1", "|"}), "| 1 | \\| |\n");
}

}  // namespace
}  // namespace results
