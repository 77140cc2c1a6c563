#include "ess_core/locality/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <string_view>

namespace ess {
namespace {

constexpr std::string_view npy_magic = "\x93NUMPY";

auto refuse(std::string what, std::string hint = {}) {
  return tl::unexpected(trace_error{std::move(what), std::move(hint)});
}

// The Python dictionary after magic, version and length; `data_at` is where the numbers begin.
struct npy_header {
  std::string dictionary;
  std::uintmax_t data_at = 0;
};

trace_result<npy_header> read_header(std::istream& in, std::uintmax_t file_size) {
  std::array<unsigned char, 12> start{};
  const auto cut_off = [] {
    return refuse("truncated within its header", "was the file copied completely?");
  };
  if (!in.read(reinterpret_cast<char*>(start.data()), 8)) return cut_off();
  if (!std::equal(npy_magic.begin(), npy_magic.end(), start.begin(),
                  [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; })) {
    return refuse("not an .npy file");
  }
  if (start[6] != 1 && start[6] != 2) {
    return refuse(fmt::format(".npy version {}.{}, but 1 and 2 are read", start[6], start[7]));
  }
  const std::size_t width = start[6] == 1 ? 2 : 4;  // bytes of the length
  if (!in.read(reinterpret_cast<char*>(start.data()) + 8, static_cast<std::streamsize>(width)))
    return cut_off();
  std::size_t length = 0;
  for (std::size_t i = 0; i < width; ++i) length |= std::size_t{start[8 + i]} << (8 * i);
  if (length > file_size) return cut_off();
  npy_header out{std::string(length, '\0'), 8 + width + length};
  if (!in.read(out.dictionary.data(), static_cast<std::streamsize>(length))) return cut_off();
  return out;
}

// The text after 'key': in the dictionary, from its first character on; empty if there is none.
std::string_view value_of(std::string_view dictionary, std::string_view key) {
  const auto at = dictionary.find(fmt::format("'{}':", key));
  if (at == dictionary.npos) return {};
  const auto from = dictionary.find_first_not_of(' ', at + key.size() + 3);
  return from == dictionary.npos ? std::string_view() : dictionary.substr(from);
}

// "(3, 2, 5)" -> 3, 2, 5.
std::optional<std::vector<std::int32_t>> numbers_of(std::string_view tuple) {
  const auto end = tuple.find(')');
  if (!tuple.starts_with('(') || end == tuple.npos) return std::nullopt;
  std::vector<std::int32_t> out;
  std::string_view rest = tuple.substr(1, end - 1);
  while (!rest.empty()) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" ,"), rest.size()));
    if (rest.empty()) break;
    const auto [stop, code] = std::from_chars(rest.data(), rest.data() + rest.size(), out.emplace_back());
    if (code != std::errc()) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
  }
  return out;
}

trace_result<trace_shape> shape_of(std::string_view dictionary) {
  if (!value_of(dictionary, "descr").starts_with("'<i4'")) {
    return refuse("its numbers are not little-endian int32", "save it with .astype('<i4')");
  }
  if (!value_of(dictionary, "fortran_order").starts_with("False")) {
    return refuse("it is not in C order", "save it with numpy.ascontiguousarray");
  }
  const auto extents = numbers_of(value_of(dictionary, "shape"));
  if (!extents || extents->size() != 3) return refuse("its shape is not [steps, layers, top-k]");
  const trace_shape shape{(*extents)[0], (*extents)[1], (*extents)[2], 0};
  if (auto fine = check_shape(shape); !fine) return tl::unexpected(fine.error());
  return shape;
}

void sort_selections(index_trace& trace) {
  for (std::int32_t step = 0; step < trace.shape.steps; ++step) {
    for (std::int32_t layer = 0; layer < trace.shape.layers; ++layer) {
      // As unsigned numbers -1 is the largest, so padding ends up last.
      std::ranges::sort(trace.selected(step, layer), {},
                        [](token_id id) { return static_cast<std::uint32_t>(id); });
    }
  }
}

token_id smallest_first_token(const index_trace& trace) {
  std::int64_t first = 0;  // ids are not yet checked: the least of them minus a step is no token_id
  for (std::int32_t step = 0; step < trace.shape.steps; ++step) {
    for (std::int32_t layer = 0; layer < trace.shape.layers; ++layer) {
      first = std::max(first, std::int64_t{std::ranges::max(trace.selected(step, layer))} - step);
    }
  }
  return static_cast<token_id>(first);
}

}  // namespace

trace_result<index_trace> read_npy(const std::filesystem::path& file, std::optional<token_id> first_token) {
  std::error_code fault;
  const std::uintmax_t size = std::filesystem::file_size(file, fault);
  std::ifstream in(file, std::ios::binary);
  if (fault || !in) return refuse(fmt::format("cannot be read: {}", fault ? fault.message() : "no access"));
  const auto header = read_header(in, size);
  if (!header) return tl::unexpected(header.error());
  const auto shape = shape_of(header->dictionary);
  if (!shape) return tl::unexpected(shape.error());
  const std::uintmax_t wanted = header->data_at + shape->ids() * sizeof(token_id);
  if (size != wanted) {
    return refuse(fmt::format("{} bytes, but its shape makes {}", size, wanted),
                  "was the file copied completely?");
  }
  index_trace trace(*shape);
  if (!in.read(reinterpret_cast<char*>(trace.ids.data()),
               static_cast<std::streamsize>(trace.ids.size() * sizeof(token_id)))) {
    return refuse("cannot be read to its end");
  }
  sort_selections(trace);
  trace.shape.first_token = first_token ? *first_token : smallest_first_token(trace);
  if (auto fine = check_shape(trace.shape); !fine) return tl::unexpected(fine.error());
  if (auto fine = check_ids(trace); !fine) return tl::unexpected(fine.error());
  return trace;
}

}  // namespace ess
