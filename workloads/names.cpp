#include "workloads/names.h"

#include <algorithm>
#include <array>

namespace workloads {
namespace {

using words = std::span<const std::string_view>;

template <typename E>
std::optional<E> find_word(words names, std::string_view text) {
  const auto at = std::find(names.begin(), names.end(), text);
  if (at == names.end()) return std::nullopt;
  return static_cast<E>(at - names.begin());
}

template <typename E>
std::string_view word_of(words names, E value) {
  return names[static_cast<std::size_t>(value)];
}

constexpr std::array<std::string_view, 2> workload_kind_words = {"fixed", "serve"};
constexpr std::array<std::string_view, 6> system_words = {"all_gpu",      "naive_memcpy", "naive_gather",
                                                          "layer_stream", "ess",          "hisparse"};
constexpr std::array<std::string_view, 4> overlap_words = {"none", "da", "dba", "layerwise"};
constexpr std::array<std::string_view, 3> warmup_words = {"windows", "arbitrary", "empty"};
constexpr std::array<std::string_view, 2> handover_words = {"via_device", "to_host"};
constexpr std::array<std::string_view, 6> policy_words = {"lru",   "fifo",  "random",
                                                          "clock", "sieve", "score_aware"};
constexpr std::array<std::string_view, 2> key_reads_words = {"once_a_step", "once_a_query_token"};
constexpr std::array<std::string_view, 2> weights_words = {"bf16", "fp8"};

}  // namespace

words workload_kind_names() { return workload_kind_words; }
words system_names() { return system_words; }
words overlap_names() { return overlap_words; }
words warmup_names() { return warmup_words; }
words handover_names() { return handover_words; }
words policy_names() { return policy_words; }
words key_reads_names() { return key_reads_words; }
words weights_names() { return weights_words; }

std::string_view to_string(workload_kind value) { return word_of(workload_kind_words, value); }
std::string_view to_string(system_kind value) { return word_of(system_words, value); }
std::string_view to_string(overlap_mode value) { return word_of(overlap_words, value); }
std::string_view to_string(warmup_mode value) { return word_of(warmup_words, value); }
std::string_view to_string(handover_mode value) { return word_of(handover_words, value); }
std::string_view to_string(eviction_policy value) { return word_of(policy_words, value); }
std::string_view to_string(key_reads_mode value) { return word_of(key_reads_words, value); }
std::string_view to_string(weights_mode value) { return word_of(weights_words, value); }

std::optional<workload_kind> parse_workload_kind(std::string_view text) {
  return find_word<workload_kind>(workload_kind_words, text);
}
std::optional<system_kind> parse_system(std::string_view text) {
  return find_word<system_kind>(system_words, text);
}
std::optional<overlap_mode> parse_overlap(std::string_view text) {
  return find_word<overlap_mode>(overlap_words, text);
}
std::optional<warmup_mode> parse_warmup(std::string_view text) {
  return find_word<warmup_mode>(warmup_words, text);
}
std::optional<handover_mode> parse_handover(std::string_view text) {
  return find_word<handover_mode>(handover_words, text);
}
std::optional<eviction_policy> parse_policy(std::string_view text) {
  return find_word<eviction_policy>(policy_words, text);
}
std::optional<key_reads_mode> parse_key_reads(std::string_view text) {
  return find_word<key_reads_mode>(key_reads_words, text);
}
std::optional<weights_mode> parse_weights(std::string_view text) {
  return find_word<weights_mode>(weights_words, text);
}

}  // namespace workloads
