// The closed sets of words that a workload file uses. to_string gives the word; parse_* is its inverse.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace workloads {

enum class workload_kind : std::uint8_t { fixed, serve };
enum class system_kind : std::uint8_t { all_gpu, naive_memcpy, naive_gather, layer_stream, ess, hisparse };
enum class overlap_mode : std::uint8_t { none, da, dba, layerwise };
enum class warmup_mode : std::uint8_t { windows, arbitrary, empty };
enum class handover_mode : std::uint8_t { via_device, to_host };
enum class key_reads_mode : std::uint8_t { once_a_step, once_a_query_token };
enum class weights_mode : std::uint8_t { bf16, fp8 };
enum class eviction_policy : std::uint8_t { lru, fifo, random, clock, sieve, score_aware };

[[nodiscard]] std::string_view to_string(workload_kind value);
[[nodiscard]] std::string_view to_string(system_kind value);
[[nodiscard]] std::string_view to_string(overlap_mode value);
[[nodiscard]] std::string_view to_string(warmup_mode value);
[[nodiscard]] std::string_view to_string(handover_mode value);
[[nodiscard]] std::string_view to_string(eviction_policy value);
[[nodiscard]] std::string_view to_string(key_reads_mode value);
[[nodiscard]] std::string_view to_string(weights_mode value);

[[nodiscard]] std::optional<workload_kind> parse_workload_kind(std::string_view text);
[[nodiscard]] std::optional<system_kind> parse_system(std::string_view text);
[[nodiscard]] std::optional<overlap_mode> parse_overlap(std::string_view text);
[[nodiscard]] std::optional<warmup_mode> parse_warmup(std::string_view text);
[[nodiscard]] std::optional<handover_mode> parse_handover(std::string_view text);
[[nodiscard]] std::optional<eviction_policy> parse_policy(std::string_view text);
[[nodiscard]] std::optional<key_reads_mode> parse_key_reads(std::string_view text);
[[nodiscard]] std::optional<weights_mode> parse_weights(std::string_view text);

// In the order of the enumerations.
[[nodiscard]] std::span<const std::string_view> workload_kind_names();
[[nodiscard]] std::span<const std::string_view> system_names();
[[nodiscard]] std::span<const std::string_view> overlap_names();
[[nodiscard]] std::span<const std::string_view> warmup_names();
[[nodiscard]] std::span<const std::string_view> handover_names();
[[nodiscard]] std::span<const std::string_view> policy_names();
[[nodiscard]] std::span<const std::string_view> key_reads_names();
[[nodiscard]] std::span<const std::string_view> weights_names();

}  // namespace workloads
