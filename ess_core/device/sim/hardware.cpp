#include "ess_core/device/sim/hardware.h"

#include <array>

namespace ess::sim {
namespace {

#define FIGURE(member) \
  figure_field { #member, &hardware::member }

constexpr std::array figures = {
    FIGURE(memory_bytes),       FIGURE(reserved_bytes),    FIGURE(memory_gb_per_s),
    FIGURE(memory_efficiency),  FIGURE(bf16_tflops),       FIGURE(fp8_tflops),
    FIGURE(gemm_efficiency),    FIGURE(attention_tflops),  FIGURE(sms),
    FIGURE(l2_bytes),           FIGURE(kernel_us),         FIGURE(step_us),
    FIGURE(resolve_ns_per_id),  FIGURE(score_share),       FIGURE(shared_key_share),
    FIGURE(gather_gb_per_s),    FIGURE(scatter_gb_per_s),  FIGURE(gather_in_flight_bytes),
    FIGURE(gather_latency_us),  FIGURE(gather_sm_share),   FIGURE(copy_in_gb_per_s),
    FIGURE(copy_out_gb_per_s),  FIGURE(call_in_us),        FIGURE(call_out_us),
    FIGURE(gpus_per_node),      FIGURE(host_memory_bytes), FIGURE(host_gb_per_s),
    FIGURE(nvlink_gb_per_s),    FIGURE(rdma_gb_per_s),     FIGURE(network_sm_share),
    FIGURE(network_link_share), FIGURE(imbalance)};

#undef FIGURE

constexpr std::array tables = {
    table_field{"attention_module", &hardware::attention_module, "query_tokens", "context_tokens"},
    table_field{"dense_attention", &hardware::dense_attention, "requests", "context_tokens"},
    table_field{"index_query", &hardware::index_query, "", "query_tokens"},
    table_field{"value_up", &hardware::value_up, "", "query_tokens"},
    table_field{"output_projection", &hardware::output_projection, "", "query_tokens"},
    table_field{"shared_expert", &hardware::shared_expert, "", "query_tokens"},
    table_field{"experts_even", &hardware::experts_even, "local_experts", "rows_an_expert"},
    table_field{"experts_skewed", &hardware::experts_skewed, "local_experts", "rows_an_expert"},
    table_field{"experts_very_skewed", &hardware::experts_very_skewed, "local_experts", "rows_an_expert"},
    table_field{"dispatch", &hardware::dispatch, "nodes", "rank_tokens"},
    table_field{"combine", &hardware::combine, "nodes", "rank_tokens"}};

}  // namespace

byte_count usable_bytes(const hardware& of) {
  return {static_cast<std::int64_t>(of.memory_bytes.value - of.reserved_bytes.value)};
}

std::span<const figure_field> figure_fields() { return figures; }
std::span<const table_field> table_fields() { return tables; }

}  // namespace ess::sim
