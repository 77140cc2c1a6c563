#include "workloads/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

namespace workloads {
namespace {

constexpr std::array<std::string_view, 24> unit_suffixes = {
    "_gb_per_s", "_mb_per_s", "_kb_per_s", "_gib_per_s", "_gbit_per_s", "_gbps",   "_per_ms", "_per_s",
    "_bytes",    "_kb",       "_mb",       "_gb",        "_kib",        "_mib",    "_gib",    "_us",
    "_ms",       "_ns",       "_s",        "_sec",       "_seconds",    "_tokens", "_rows",   "_percent"};

std::string_view without_unit(std::string_view key) {
  for (const std::string_view unit : unit_suffixes) {
    if (key.ends_with(unit)) return key.substr(0, key.size() - unit.size());
  }
  return key;
}

std::string_view last_part(std::string_view path) {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

// Smaller is nearer. Edit distances come after the two special cases, and are comparable to each other.
int remoteness(std::string_view word, std::string_view candidate) {
  const std::string_view stem = without_unit(word);
  if (stem == without_unit(candidate) || stem == without_unit(last_part(candidate))) return 0;
  const bool begins =
      word.size() >= 3 && (candidate.starts_with(word) || last_part(candidate).starts_with(word));
  if (begins || last_part(candidate) == word) return 1;
  return 1 + std::min(edit_distance(word, candidate), edit_distance(word, last_part(candidate)));
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i) + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const int replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  int best_distance = 1 + std::max(2, static_cast<int>(word.size()) / 2);  // farther than this is a guess
  for (const std::string_view candidate : candidates) {
    const int distance = remoteness(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string_view best = nearest(word, candidates);
  return best.empty() ? std::string() : fmt::format("did you mean '{}'?", best);
}

}  // namespace workloads
