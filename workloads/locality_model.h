// Models of locality that index streams are synthesised from: files of published or measured figures, and
// what is derived from them (ess_core/locality/locality_fit.h). The form of a file is described in
// docs/locality.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/locality/layer_locality.h"
#include "workloads/error.h"

namespace workloads {

enum class figure_use : std::uint8_t {
  fit,    // the model is made of it
  check,  // the model is only held against it
};

// One published curve: by layer, or the mean over the layers.
struct locality_figure {
  figure_use use = figure_use::check;
  double context_tokens = 0.0;
  std::optional<double> sparse_ratio;  // of misses per decode step; without: overlap of adjacent query tokens
  std::vector<std::optional<double>>
      by_layer;                // nothing where a point cannot be read; empty: only the mean is known
  std::optional<double> mean;  // only where by_layer is empty

  [[nodiscard]] bool is_overlap() const { return !sparse_ratio; }
};

struct locality_model {
  std::string name;
  std::string description;
  std::string source;
  std::string sha256;  // of the file
  std::int32_t top_k = 0;
  std::int32_t query_tokens = 1;  // of the decode steps that the misses are counted in
  double context_tokens = 0.0;    // of the figures that are fitted
  ess::stream_locality stream;
  std::vector<bool> position_relative;  // [layers]
  std::vector<locality_figure> figures;
  std::vector<ess::layer_locality> layers;  // fitted
};

// `set`: "overlap=0.7" (of every layer), "misses=1.5" (a factor; both before the fit, so that each leaves the
// other), "sinks=", "recent=", "burst_every=", "burst_length=", "burst_factor=".
[[nodiscard]] result<locality_model> load_locality(const std::filesystem::path& file,
                                                   std::span<const std::string> set = {});
[[nodiscard]] result<locality_model> parse_locality(std::string_view text, std::string_view file,
                                                    std::span<const std::string> set = {});

// "deepseek_v3_2" or a path; names are those of files in the folder locality/ of the catalogue's folders.
[[nodiscard]] result<std::filesystem::path> find_locality(std::string_view name_or_path);

}  // namespace workloads
