#include "ess_core/reference/golden/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace ess::golden {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::vector<std::uint8_t> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || !fs::is_regular_file(path))
    throw golden_error(fmt::format("{}: cannot be read", path.string()));
  return {std::istreambuf_iterator<char>(file), {}};
}

tolerance parse_tolerance(const json& entry) {
  const auto name = entry.at("kind").get<std::string>();
  const auto kind = parse_tolerance_kind(name);
  if (!kind) throw golden_error(fmt::format("unknown tolerance kind \"{}\"", name));
  tolerance allowed{.kind = *kind};
  switch (*kind) {
    case tolerance_kind::exact:
    case tolerance_kind::set:
      break;
    case tolerance_kind::abs_rel:
      allowed.abs = entry.at("abs").get<double>();
      allowed.rel = entry.at("rel").get<double>();
      break;
    case tolerance_kind::rel_to_array:
      allowed.rel = entry.at("rel").get<double>();
      allowed.array = entry.at("array").get<std::string>();
      break;
    case tolerance_kind::angle:
      allowed.abs = entry.at("abs").get<double>();
      allowed.per_radian = entry.at("per_radian").get<double>();
      break;
    case tolerance_kind::mostly_exact:
      allowed.max_fraction = entry.at("max_fraction").get<double>();
      allowed.max_code_distance = entry.at("max_code_distance").get<std::int64_t>();
      break;
    case tolerance_kind::set_overlap:
      allowed.min_common = entry.at("min_common").get<std::int64_t>();
      break;
  }
  return allowed;
}

element_type parse_type(const json& entry) {
  const auto name = entry.at("dtype").get<std::string>();
  const auto type = parse_element_type(name);
  if (!type) throw golden_error(fmt::format("unknown dtype \"{}\"", name));
  return *type;
}

array_role parse_role(const json& entry) {
  const auto name = entry.at("role").get<std::string>();
  const auto role = parse_array_role(name);
  if (!role) throw golden_error(fmt::format("unknown role \"{}\"", name));
  return *role;
}

array_shape parse_shape(const json& entry) {
  const auto shape = entry.at("shape").get<array_shape>();
  if (shape.empty() || std::ranges::any_of(shape, [](std::int64_t extent) { return extent < 1; })) {
    throw golden_error("shape must be a list of positive extents");
  }
  return shape;
}

// The file lies in the set's folder, whatever the manifest says.
fs::path file_of(const fs::path& folder, const json& entry) {
  const fs::path name = entry.at("file").get<std::string>();
  if (name.empty() || name != name.filename()) {
    throw golden_error(fmt::format("\"{}\" is not a plain file name", name.string()));
  }
  return folder / name;
}

golden_array read_array(const fs::path& folder, const json& entry) {
  golden_array array{.name = entry.at("name").get<std::string>(),
                     .type = parse_type(entry),
                     .shape = parse_shape(entry),
                     .role = parse_role(entry),
                     .allowed = std::nullopt,
                     .bytes = {}};
  if (entry.contains("tolerance")) array.allowed = parse_tolerance(entry.at("tolerance"));
  if (array.role != array_role::input && !array.allowed) {
    throw golden_error(fmt::format("array {} has no tolerance", array.name));
  }
  const fs::path file = file_of(folder, entry);
  array.bytes = read_file(file);
  const auto expected = static_cast<std::size_t>(array.size() * element_bytes(array.type));
  if (array.bytes.size() != expected) {
    throw golden_error(fmt::format("{} has {} bytes, its shape makes {}", file.filename().string(),
                                   array.bytes.size(), expected));
  }
  return array;
}

void check_format(const json& document) {
  if (document.at("format") != 1) throw golden_error("unknown format, expected 1");
  if (document.at("byte_order") != "little") throw golden_error("byte_order must be \"little\"");
  if (document.at("order") != "row-major") throw golden_error("order must be \"row-major\"");
}

void read_parameters(const json& document, manifest& result) {
  for (const auto& [key, value] : document.at("params").items()) {
    if (value.is_number()) result.numbers[key] = value.get<double>();
    if (value.is_string()) result.texts[key] = value.get<std::string>();
  }
}

void read_arrays(const fs::path& folder, const json& document, manifest& result) {
  for (const json& entry : document.at("arrays")) {
    golden_array array = read_array(folder, entry);
    const auto same_name = [&](const golden_array& other) { return other.name == array.name; };
    if (std::ranges::any_of(result.arrays, same_name)) {
      throw golden_error(fmt::format("array {} is there twice", array.name));
    }
    result.arrays.push_back(std::move(array));
  }
  if (result.arrays.empty()) throw golden_error("no arrays");
}

}  // namespace

manifest read_manifest(const fs::path& folder) {
  const fs::path path = folder / "manifest.json";
  const std::vector<std::uint8_t> text = read_file(path);
  try {
    const json document = json::parse(text);
    manifest result;
    check_format(document);
    result.set = document.at("set").get<std::string>();
    read_parameters(document, result);
    read_arrays(folder, document, result);
    return result;
  } catch (const json::exception& failure) {
    throw golden_error(fmt::format("{}: {}", path.string(), failure.what()));
  } catch (const golden_error& failure) {
    throw golden_error(fmt::format("{}: {}", path.string(), failure.what()));
  }
}

}  // namespace ess::golden
