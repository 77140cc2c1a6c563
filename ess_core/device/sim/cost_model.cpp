#include "ess_core/device/sim/cost_model.h"

#include <algorithm>

namespace ess::sim {
namespace {

constexpr double fp8 = 1;
constexpr double bf16 = 2;

// What the model selects that the tables were measured with. Shorter contexts are selected whole, and take
// the time of a full selection: the kernels walk over top-k places.
constexpr double attended_from = 2048;

double us_at(double amount, double per_second) { return amount / per_second * 1e6; }

table_value operator+(table_value a, table_value b) { return {a.us + b.us, std::max(a.stretch, b.stretch)}; }
table_value operator*(double factor, table_value v) { return {factor * v.us, v.stretch}; }
table_value exactly(double us) { return {.us = us}; }
table_value at_least(double us, table_value v) { return {std::max(us, v.us), v.stretch}; }

// Between the curves of two exponents.
table_value between(table_value low, table_value high, double share) {
  return {low.us + share * (high.us - low.us), std::max(low.stretch, high.stretch)};
}

op_cost on_processors(table_value time) {
  op_cost out{.us = time.us, .stretch = time.stretch};
  out.use[static_cast<std::size_t>(resource::processors)] = 1;
  return out;
}

}  // namespace

std::string_view to_string(resource what) {
  constexpr std::array<std::string_view, resource_count> names = {"processors", "memory",      "link_in",
                                                                  "link_out",   "host_memory", "network"};
  return names[static_cast<std::size_t>(what)];
}

cost_model::cost_model(const hardware& of, const model_dims& model, const cluster& in)
    : hw_(of), model_(model), cluster_(in) {}

double cost_model::memory_us(double bytes) const {
  return us_at(bytes, hw_.memory_gb_per_s.value * 1e9 * hw_.memory_efficiency.value);
}

double cost_model::roofline_us(double bytes, double operations, const figure& tflops) const {
  return std::max(memory_us(bytes), us_at(operations, tflops.value * 1e12 * hw_.gemm_efficiency.value));
}

double cost_model::product_us(double rows, double in, double out) const {
  const double bytes = in * out * fp8 + rows * (in * fp8 + out * bf16);
  return kernel_us() + roofline_us(bytes, 2 * rows * in * out, hw_.fp8_tflops);
}

// Attention of all heads over so many pairs of query token and latent row.
double cost_model::attention(double pairs) const {
  const double operations = 2.0 * model_.heads * (model_.absorbed_dim() + model_.kv_lora);
  return kernel_us() + us_at(pairs * operations, hw_.attention_tflops.value * 1e12);
}

double cost_model::scores_by_roofline(double tokens, double context) const {
  const double operations = 2.0 * tokens * context * model_.index_heads * model_.index_dim;
  const double keys = tokens * context * static_cast<double>(model_.index_key_bytes().value);
  return roofline_us(keys, operations, hw_.fp8_tflops);
}

double cost_model::projection_by_roofline(double tokens) const {
  const model_dims& m = model_;
  const double absorbed = tokens * m.heads * 2.0 * m.nope * m.kv_lora;
  const double absorb_us =
      kernel_us() + roofline_us(double(m.heads) * m.nope * m.kv_lora * bf16, absorbed, hw_.bf16_tflops);
  return product_us(tokens, m.hidden, m.q_lora + m.absorbed_dim()) +
         product_us(tokens, m.q_lora, double(m.heads) * m.query_dim()) + absorb_us + 2 * kernel_us();
}

// Scores and selection: what a module takes beyond that of a context that is selected whole.
table_value cost_model::context_part(const op_size& size) const {
  if (hw_.attention_module.empty())
    return exactly(scores_by_roofline(size.query_tokens, size.context_tokens) / hw_.score_share.value);
  if (size.context_tokens <= attended_from) return exactly(0);
  const table_value whole = hw_.attention_module.at(size.query_tokens, size.context_tokens);
  const double least = hw_.attention_module.at(size.query_tokens, attended_from).us;
  return {std::max(0.0, whole.us - least), whole.stretch};
}

table_value cost_model::index_projection(double tokens) const {
  const table_value query =
      hw_.index_query.empty()
          ? exactly(product_us(tokens, model_.q_lora, double(model_.index_heads) * model_.index_dim))
          : hw_.index_query.at(tokens);
  return query + exactly(kernel_us());
}

table_value cost_model::output(double tokens) const {
  const model_dims& m = model_;
  const double values = tokens * m.heads * 2.0 * m.v * m.kv_lora;
  const table_value up = hw_.value_up.empty()
                             ? exactly(kernel_us() + roofline_us(double(m.heads) * m.v * m.kv_lora * bf16,
                                                                 values, hw_.bf16_tflops))
                             : hw_.value_up.at(tokens);
  return up + (hw_.output_projection.empty() ? exactly(product_us(tokens, double(m.heads) * m.v, m.hidden))
                                             : hw_.output_projection.at(tokens));
}

// What is left of a module at a context that is selected whole, so that the parts sum to what was measured.
table_value cost_model::attention_projection(double tokens) const {
  if (hw_.attention_module.empty()) return exactly(projection_by_roofline(tokens));
  const table_value module = hw_.attention_module.at(tokens, attended_from);
  const double others =
      attention(tokens * attended_from) + output(tokens).us + index_projection(tokens).us + 2 * kernel_us();
  return at_least(kernel_us(), {module.us - others, module.stretch});
}

table_value cost_model::attend(const op_size& size) const {
  if (model_.index_heads > 0) return exactly(attention(size.attended));
  if (!hw_.dense_attention.empty()) return hw_.dense_attention.at(size.query_tokens, size.context_tokens);
  const double bytes = size.requests * size.context_tokens * model_.absorbed_dim() * bf16;
  return exactly(std::max(attention(size.attended), kernel_us() + memory_us(bytes)));
}

table_value cost_model::routed_experts(double local, double rows) const {
  if (hw_.experts_even.empty()) {
    const double width = model_.moe.width;
    const double bytes = local * std::min(1.0, rows) * 3 * model_.hidden * width * fp8;  // of those with rows
    const double operations = local * rows * 2 * 3 * model_.hidden * width;
    return exactly(2 * kernel_us() + roofline_us(bytes, operations, hw_.fp8_tflops));
  }
  constexpr double skewed = 0.6, very_skewed = 1.01;  // exponents of the tables
  const auto in = [&](const cost_table& table) { return table.at(local, rows); };
  const double i = cluster_.imbalance;
  if (i <= 0 || hw_.experts_skewed.empty()) return in(hw_.experts_even);
  if (i <= skewed) return between(in(hw_.experts_even), in(hw_.experts_skewed), i / skewed);
  return between(in(hw_.experts_skewed), in(hw_.experts_very_skewed), (i - skewed) / (very_skewed - skewed));
}

// All ranks have as many tokens as this one.
table_value cost_model::experts(double tokens) const {
  const int experts = model_.moe.experts;
  const double local = std::max(1.0, double(experts) / cluster_.expert_ranks);
  const double rows = tokens * cluster_.expert_ranks * model_.moe.top_k / experts;
  const table_value routed = routed_experts(local, rows);
  if (model_.moe.shared_experts == 0) return routed;
  const double width = model_.shared_width();
  return routed + (hw_.shared_expert.empty() ? exactly(product_us(tokens, model_.hidden, 2 * width) +
                                                       product_us(tokens, width, model_.hidden))
                                             : hw_.shared_expert.at(tokens));
}

std::optional<table_value> cost_model::measured(const operation& op, const op_size& size) const {
  const cost_table& table = hw_.operations[static_cast<std::size_t>(op.kind)];
  if (table.empty()) return std::nullopt;
  return table.at(size.query_tokens,
                  op.kind == op_kind::attend ? size.attended / size.query_tokens : size.context_tokens);
}

op_cost cost_model::computed(const operation& op, const op_size& size) const {
  if (const auto own = measured(op, size)) return on_processors(*own);
  const model_dims& m = model_;
  const double tokens = size.query_tokens;
  switch (op.kind) {
    case op_kind::project_index:
      return on_processors(index_projection(tokens));
    case op_kind::score_keys: {
      const double shared =
          cluster_.keys == key_reads::once_a_step
              ? (size.requests + (tokens - size.requests) * hw_.shared_key_share.value) / tokens
              : 1.0;
      return on_processors(hw_.score_share.value * shared * context_part(size) + exactly(kernel_us()));
    }
    case op_kind::select_topk:
      return on_processors((1 - hw_.score_share.value) * context_part(size) + exactly(kernel_us()));
    case op_kind::project_attention:
      return on_processors(attention_projection(tokens));
    case op_kind::resolve:
      return on_processors(exactly(2 * kernel_us() + tokens * m.top_k * hw_.resolve_ns_per_id.value * 1e-3));
    case op_kind::attend:
      return on_processors(attend(size));
    case op_kind::merge: {
      const double bytes = tokens * m.heads * m.kv_lora * 3 * bf16;
      return on_processors(exactly(kernel_us() + memory_us(bytes)));
    }
    case op_kind::output:
      return on_processors(output(tokens));
    case op_kind::feed_forward:
      return on_processors(exactly(product_us(tokens, m.hidden, 2.0 * m.dense_width) +
                                   product_us(tokens, m.dense_width, m.hidden)));
    case op_kind::route:
      return on_processors(exactly(kernel_us() + product_us(tokens, m.hidden, m.moe.experts)));
    case op_kind::experts:
      return on_processors(experts(tokens));
    case op_kind::draft:
      return on_processors(exactly(product_us(tokens, 2.0 * m.hidden, m.hidden)));
    case op_kind::take_landed:
      return on_processors(
          exactly(kernel_us() + memory_us(2 * size.rows * static_cast<double>(m.latent_row_bytes().value))));
    default:  // append_key, append_row: a kernel of the module's
      return {};
  }
}

table_value cost_model::journey(const cost_table& table, double tokens, double bytes) const {
  const double nodes = cluster_.nodes;
  if (!table.empty()) return table.at(nodes, tokens);
  // Of a token's copies all but one node's go over the network between nodes.
  const double between_nodes = bytes * (nodes - 1) / nodes / (hw_.rdma_gb_per_s.value * 1e3);
  const double within = bytes / nodes / (hw_.nvlink_gb_per_s.value * 1e3);
  return exactly(4 * kernel_us() + std::max(between_nodes, within));
}

op_cost cost_model::over_network(const operation& op, const op_size& size) const {
  if (cluster_.expert_ranks <= 1) return on_processors(measured(op, size).value_or(exactly(kernel_us())));
  const double values = size.query_tokens * model_.moe.top_k * model_.hidden;
  const bool out = op.kind == op_kind::dispatch;
  const auto own = measured(op, size);
  const table_value time = own   ? *own
                           : out ? journey(hw_.dispatch, size.query_tokens, values * fp8)
                                 : journey(hw_.combine, size.query_tokens, values * bf16);
  op_cost cost{.us = time.us, .stretch = time.stretch};
  const auto use = [&](resource what, double share) { cost.use[static_cast<std::size_t>(what)] = share; };
  use(resource::network, 1);
  use(resource::processors, hw_.network_sm_share.value);
  if (cluster_.nodes > 1) {
    use(resource::link_in, hw_.network_link_share.value);
    use(resource::link_out, hw_.network_link_share.value);
  }
  return cost;
}

// Of what one of the node's GPUs may take when all do.
double cost_model::host_share(double gb_per_s) const {
  return gb_per_s * hw_.gpus_per_node.value / hw_.host_gb_per_s.value;
}

op_cost cost_model::over_link(const operation& op, const op_size& size) const {
  const double bytes = size.rows * static_cast<double>(model_.latent_row_bytes().value);
  const bool in =
      op.kind != op_kind::write_back && op.kind != op_kind::store_landed && op.kind != op_kind::read_back;
  const bool by_kernel =
      op.kind == op_kind::fetch || op.kind == op_kind::fill_pool || op.kind == op_kind::write_back;
  op_cost cost;
  double rate = (in ? hw_.copy_in_gb_per_s : hw_.copy_out_gb_per_s).value;  // GB/s
  if (by_kernel) {
    const double in_flight = hw_.gather_in_flight_bytes.value / hw_.gather_latency_us.value * 1e-3;
    rate = std::min((in ? hw_.gather_gb_per_s : hw_.scatter_gb_per_s).value, in_flight);
    cost.us = kernel_us() + (size.rows > 0 ? hw_.gather_latency_us.value + bytes / (rate * 1e3) : 0);
    cost.use[static_cast<std::size_t>(resource::processors)] = hw_.gather_sm_share.value;
  } else if (op.kind == op_kind::fetch_by_call) {
    cost.us = size.rows * hw_.call_in_us.value;
    if (size.rows > 0) rate = bytes / cost.us * 1e-3;
  } else if (op.kind == op_kind::read_back) {
    cost.us = hw_.call_out_us.value + size.rows * 8 / (rate * 1e3);  // a row's number and place
  } else {
    cost.us = size.requests * (in ? hw_.call_in_us : hw_.call_out_us).value + bytes / (rate * 1e3);
  }
  const double whole = by_kernel ? rate : (in ? hw_.copy_in_gb_per_s : hw_.copy_out_gb_per_s).value;
  cost.use[static_cast<std::size_t>(in ? resource::link_in : resource::link_out)] = rate / whole;
  cost.use[static_cast<std::size_t>(resource::memory)] = rate / hw_.memory_gb_per_s.value;
  cost.use[static_cast<std::size_t>(resource::host_memory)] = host_share(rate);
  return cost;
}

op_cost cost_model::of(const operation& op, const op_size& size) const {
  if (crosses_link(op.kind)) return over_link(op, size);
  if (op.kind == op_kind::dispatch || op.kind == op_kind::combine) return over_network(op, size);
  return computed(op, size);
}

double cost_model::outside_us(double requests, double query_tokens) const {
  // The main model's head sees every query token; each draft needs a pass of its own.
  const auto head = [&](double rows) {
    const double weights = double(model_.hidden) * model_.vocabulary;
    return kernel_us() + roofline_us(weights * bf16, 2 * rows * weights, hw_.bf16_tflops);
  };
  const double drafts = model_.draft_layers > 0 ? query_tokens / requests - 1 : 0;
  return hw_.step_us.value + head(query_tokens) + drafts * head(requests);
}

}  // namespace ess::sim
