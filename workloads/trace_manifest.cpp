#include "workloads/trace_manifest.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace workloads {
namespace {

using nlohmann::ordered_json;

constexpr int manifest_version = 1;

trace_synthesis synthesis_from(const ordered_json& json) {
  return {.model = json.at("model"),
          .model_sha256 = json.at("model_sha256"),
          .seed = json.at("seed"),
          .context_tokens = json.at("context_tokens"),
          .lead_in_steps = json.at("lead_in_steps"),
          .first_layer = json.at("first_layer"),
          .set = json.at("set")};
}

ordered_json as_json(const trace_manifest& m) {
  const ess::trace_shape& shape = m.header.shape;
  ordered_json out = {{"manifest_version", manifest_version},
                      {"steps", shape.steps},
                      {"layers", shape.layers},
                      {"top_k", shape.top_k},
                      {"first_token", shape.first_token},
                      {"sha256", m.header.sha256},
                      {"source", m.source}};
  if (m.synthesis) out["synthesis"] = as_json(*m.synthesis);
  return out;
}

trace_manifest from_json(const ordered_json& json) {
  trace_manifest out{.header = {.shape = {.steps = json.at("steps"),
                                          .layers = json.at("layers"),
                                          .top_k = json.at("top_k"),
                                          .first_token = json.at("first_token")},
                                .sha256 = json.at("sha256")},
                     .source = json.at("source")};
  if (json.contains("synthesis")) out.synthesis = synthesis_from(json.at("synthesis"));
  return out;
}

auto refuse(const std::filesystem::path& manifest, std::string_view what, std::string hint = {}) {
  return tl::unexpected(ess::trace_error{
      fmt::format("its manifest {} {}", manifest.filename().string(), what), std::move(hint)});
}

}  // namespace

ordered_json as_json(const trace_synthesis& s) {
  return {{"model", s.model},
          {"model_sha256", s.model_sha256},
          {"seed", s.seed},
          {"context_tokens", s.context_tokens},
          {"lead_in_steps", s.lead_in_steps},
          {"first_layer", s.first_layer},
          {"set", s.set}};
}

std::filesystem::path manifest_of(const std::filesystem::path& trace_file) {
  return trace_file.string() + ".json";
}

ess::trace_result<void> write_manifest(const std::filesystem::path& trace_file,
                                       const trace_manifest& manifest) {
  const auto path = manifest_of(trace_file);
  std::ofstream out(path, std::ios::trunc);
  out << as_json(manifest).dump(2) << '\n';
  out.close();
  if (!out) return refuse(path, "cannot be written");
  return {};
}

ess::trace_result<std::optional<trace_manifest>> read_manifest(const std::filesystem::path& trace_file,
                                                               const ess::trace_header& header) {
  const auto path = manifest_of(trace_file);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  try {
    std::ifstream in(path);
    const ordered_json json = ordered_json::parse(in);
    if (json.at("manifest_version") != manifest_version) return refuse(path, "has another version");
    trace_manifest manifest = from_json(json);
    if (manifest.header.shape == header.shape && manifest.header.sha256 == header.sha256) return manifest;
    return refuse(path, "describes another trace", "remove it, or bring the file that it belongs to");
  } catch (const nlohmann::json::exception& e) {
    return refuse(path, fmt::format("cannot be read: {}", e.what()));
  }
}

}  // namespace workloads
