// How long an operation takes on given hardware when nothing else runs, and what it then uses of what it may
// share with others.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "ess_core/device/sim/hardware.h"
#include "ess_core/model/dims.h"
#include "ess_core/step/operation.h"

namespace ess::sim {

enum class resource : std::uint8_t {
  processors,  // SMs
  memory,      // of the device
  link_in,     // host to device
  link_out,
  host_memory,  // this GPU's part of it, if all of the node ask for theirs
  network,
};
inline constexpr std::size_t resource_count = static_cast<std::size_t>(resource::network) + 1;
[[nodiscard]] std::string_view to_string(resource what);

struct op_cost {
  double us = 0;                                // alone
  std::array<double, resource_count> use = {};  // of each resource while it runs alone; 1: all of it
  double stretch = 1;                           // table_value
};

// What an operation works on.
struct op_size {
  double requests = 0;
  double query_tokens = 0;
  double context_tokens = 0;  // mean over the requests
  double rows = 0;            // latent rows that it moves
  double attended = 0;        // pairs of query token and row
};

// Whether the query tokens of a request read its indexer keys together or each for itself.
enum class key_reads : std::uint8_t { once_a_step, once_a_query_token };

struct cluster {
  int nodes = 1;
  int expert_ranks = 1;
  double imbalance = 0;  // exponent of the power law of expert choice; 0: even
  key_reads keys = key_reads::once_a_step;

  friend bool operator==(const cluster&, const cluster&) = default;
};

class cost_model {
 public:
  cost_model(const hardware& of, const model_dims& model, const cluster& in);

  // Throws beyond_table.
  [[nodiscard]] op_cost of(const operation& op, const op_size& size) const;
  // What a step takes beside its operations: embedding, language model head, sampling, scheduling.
  [[nodiscard]] double outside_us(double requests, double query_tokens) const;

 private:
  [[nodiscard]] double kernel_us() const { return hw_.kernel_us.value; }
  [[nodiscard]] double memory_us(double bytes) const;
  // Bytes over the memory's rate or operations over the peak, whichever takes longer.
  [[nodiscard]] double roofline_us(double bytes, double operations, const figure& tflops) const;
  [[nodiscard]] double product_us(double rows, double in, double out) const;  // fp8 weights
  [[nodiscard]] double scores_by_roofline(double tokens, double context) const;
  [[nodiscard]] double projection_by_roofline(double tokens) const;
  [[nodiscard]] table_value context_part(const op_size& size) const;
  [[nodiscard]] table_value index_projection(double tokens) const;
  [[nodiscard]] table_value output(double tokens) const;
  [[nodiscard]] table_value attention_projection(double tokens) const;
  [[nodiscard]] double attention(double pairs) const;
  [[nodiscard]] table_value attend(const op_size& size) const;
  [[nodiscard]] table_value experts(double tokens) const;
  [[nodiscard]] table_value routed_experts(double local, double rows) const;
  [[nodiscard]] table_value journey(const cost_table& table, double tokens, double bytes) const;
  // By the machine's own table of the operation; nothing if it has none.
  [[nodiscard]] std::optional<table_value> measured(const operation& op, const op_size& size) const;
  [[nodiscard]] op_cost computed(const operation& op, const op_size& size) const;
  [[nodiscard]] op_cost over_network(const operation& op, const op_size& size) const;
  [[nodiscard]] op_cost over_link(const operation& op, const op_size& size) const;
  [[nodiscard]] double host_share(double gb_per_s) const;

  const hardware& hw_;
  const model_dims& model_;
  cluster cluster_;
};

}  // namespace ess::sim
