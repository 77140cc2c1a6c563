#include "workloads/json_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace workloads {
namespace {

using nlohmann::json;

constexpr std::size_t deepest = 16;  // a workload needs 3

int line_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  return 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
}

// Walks over the text and lets others see how far the parser has read.
class watched_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  watched_iterator(const char* at, std::size_t* consumed) : at_(at), consumed_(consumed) {}
  reference operator*() const { return *at_; }
  watched_iterator& operator++() { return ++at_, ++*consumed_, *this; }
  watched_iterator operator++(int) {
    const watched_iterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const watched_iterator& a, const watched_iterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  std::size_t* consumed_;
};

// Builds the tree. The handler's interface, snake_case and all, is nlohmann's.
class tree_builder {
 public:
  tree_builder(std::string_view text, std::string_view file, const std::size_t* consumed)
      : text_(text), file_(file), consumed_(consumed) {}

  bool null() { return add(json(nullptr)); }
  bool boolean(bool value) { return add(json(value)); }
  bool number_integer(std::int64_t value) { return add(json(value)); }
  bool number_unsigned(std::uint64_t value) { return add(json(value)); }
  bool number_float(double value, const std::string&) { return add(json(value)); }
  bool string(std::string& value) { return add(json(std::move(value))); }
  bool binary(json::binary_t&) { return fail("binary data is not JSON", here()); }
  bool start_object(std::size_t) { return open(json_type::object); }
  bool start_array(std::size_t) { return open(json_type::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    json_node& object = *open_.back();
    if (const json_node* first = object.find(name)) {
      return fail(fmt::format("repeated key '{}'", name), here(),
                  fmt::format("first given in line {}", first->line), name);
    }
    object.keys.push_back(std::move(name));
    object.items.push_back({.line = here()});
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception& raised) {
    const std::string_view message = raised.what();
    const bool cut_off =
        message.find("unexpected end of input") != message.npos ||
        message.find("missing closing quote") != message.npos;  // the end alone leads to this one
    if (cut_off)
      return fail("the JSON text is cut off", line_of(text_, text_.size()), "is the file complete?");
    return fail(fmt::format("not JSON: {}", reason(message)),
                line_of(text_, position == 0 ? 0 : position - 1));
  }

  json_node root;
  std::optional<spec_error> error;

 private:
  // The parser reads one character ahead after a number; a line break there belongs to the next line.
  // Counts on from the last place, or a long file would be counted once a value.
  [[nodiscard]] int here() {
    const std::size_t at = std::min(*consumed_ == 0 ? 0 : *consumed_ - 1, text_.size());
    line_ += line_of(text_.substr(counted_), at - counted_) - 1;
    counted_ = at;
    return line_;
  }

  static std::string_view reason(std::string_view message) {
    const auto colon = message.find(": ");
    return colon == message.npos ? message : message.substr(colon + 2);
  }

  json_node& place() {
    if (open_.empty()) return root = json_node{.line = here()};
    json_node& parent = *open_.back();
    if (parent.type == json_type::object) return parent.items.back();
    return parent.items.emplace_back(json_node{.line = here()});
  }
  bool add(json&& value) {
    place().scalar = std::move(value);
    return true;
  }
  bool open(json_type type) {
    if (open_.size() == deepest) return fail("nested too deeply", here());
    json_node& node = place();
    node.type = type;
    open_.push_back(&node);  // stays valid: a parent grows only after its last child is closed
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  bool fail(std::string what, int line, std::string hint = {}, std::string path = {}) {
    error = spec_error{.path = std::move(path),
                       .line = line,
                       .what = std::move(what),
                       .hint = std::move(hint),
                       .file = std::string(file_)};
    return false;
  }

  std::string_view text_;
  std::string_view file_;
  const std::size_t* consumed_;
  int line_ = 1;
  std::size_t counted_ = 0;
  std::vector<json_node*> open_;
};

}  // namespace

const json_node* json_node::find(std::string_view key) const {
  const auto at = std::find(keys.begin(), keys.end(), key);
  return at == keys.end() ? nullptr : &items[static_cast<std::size_t>(at - keys.begin())];
}

result<json_node> parse_json(std::string_view text, std::string_view file) {
  std::size_t consumed = 0;
  std::size_t unused = 0;
  tree_builder builder(text, file, &consumed);
  const watched_iterator first(text.data(), &consumed);
  const watched_iterator last(text.data() + text.size(), &unused);
  if (!json::sax_parse(first, last, &builder)) return tl::unexpected(*builder.error);
  return std::move(builder.root);
}

std::string describe(const json_node& node) {
  if (node.type == json_type::array) return "a list";
  if (node.type == json_type::object) return "an object";
  return node.scalar.is_string() ? "text " + node.scalar.dump() : node.scalar.dump();
}

}  // namespace workloads
