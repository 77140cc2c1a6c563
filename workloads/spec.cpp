#include "workloads/spec.h"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "ess_core/base/digest.h"
#include "workloads/document.h"

namespace workloads {

bool selects(const point_selector& selector, const point& candidate) {
  if (!selector.label.empty()) return candidate.extra_label == selector.label;
  return candidate.extra_label.empty() && selector.system == candidate.requested.system;
}

result<workload> parse_workload(std::string_view text, std::string_view file, const spec_options& options) {
  auto read = read_document(text, file, options);
  if (!read) return tl::unexpected(read.error());
  auto points = expand(*read);
  if (!points) return tl::unexpected(points.error());
  workload made{.name = read->name,
                .description = read->description,
                .kind = read->kind,
                .file = std::filesystem::path(file),
                .points = std::move(*points),
                .expectations = read->expectations,
                .published = read->published,
                .resolved_json = canonical_json(*read)};
  for (const std::string& option : options.set) made.set_paths.push_back(option.substr(0, option.find('=')));
  made.hash = ess::sha256_hex(made.resolved_json);
  return made;
}

result<std::string> read_text(const std::filesystem::path& file) {
  const auto fail = [&](std::string what) {
    return tl::unexpected(spec_error{.what = std::move(what), .file = file.string()});
  };
  std::error_code code;
  const auto status = std::filesystem::status(file, code);
  if (!std::filesystem::exists(status)) return fail("no such file");
  if (!std::filesystem::is_regular_file(status)) return fail("not a regular file");
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail("cannot be read: " + std::generic_category().message(errno));
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) return fail("cannot be read");
  return text;
}

result<workload> load_workload(const std::filesystem::path& file, const spec_options& options) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  auto made = parse_workload(*text, file.filename().string(), options);
  if (made) made->file = file;
  return made;
}

}  // namespace workloads
