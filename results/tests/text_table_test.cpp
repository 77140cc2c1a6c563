#include "results/text_table.h"

#include <stdexcept>

namespace results {
namespace {

TEST(display_width, counts_what_a_terminal_shows) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("ess"), 3u);
  EXPECT_EQ(display_width("±größe"), 6u);
  EXPECT_EQ(display_width("小さい"), 6u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("🚀"), 2u);
}

TEST(printable, is_one_line_of_valid_utf_8) {
  EXPECT_EQ(printable("größe 小 🚀"), "größe 小 🚀");
  EXPECT_EQ(printable("a\nb\tc\x1b[31m\x7f"), "a b c [31m ");
  EXPECT_EQ(printable("\xff"), "\ufffd");
  EXPECT_EQ(printable("a\xe5\xb0"), "a\ufffd\ufffd");                    // cut off
  EXPECT_EQ(printable("\xc0\xaf"), "\ufffd\ufffd");                      // overlong '/'
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\ufffd\ufffd\ufffd");            // overlong '/'
  EXPECT_EQ(printable("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");            // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");  // beyond U+10FFFF
  EXPECT_EQ(printable("\ufffd"), "\ufffd");
}

TEST(text_table, aligns_whatever_the_letters) {
  text_table table({{{"name"}, alignment::left}, {{"a", "long heading"}}, {{"note"}, alignment::left}});
  table.add({"größe", "1", ""});
  table.add({"小", "22", "x"});
  EXPECT_EQ(table.text(1),
            " name              a  note\n"
            "        long heading\n"
            " -----  ------------  ----\n"
            " größe             1\n"
            " 小               22  x\n");
  EXPECT_THROW(table.add({"one"}), std::invalid_argument);
}

}  // namespace
}  // namespace results
