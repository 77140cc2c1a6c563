#include "workloads/fields.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "ess_core/model/presets.h"

namespace workloads {
namespace {

using nlohmann::json;

constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr double largest_int = std::numeric_limits<int>::max();
constexpr double largest_exact = 9007199254740992.0;  // 2^53: what every JSON reader keeps exactly

json to_value(bool v) { return v; }
json to_value(int v) { return static_cast<std::int64_t>(v); }
json to_value(std::int64_t v) { return v; }
json to_value(double v) { return v; }
json to_value(const std::string& v) { return v; }
json to_value(const batch_choice& v) { return to_json_value(v); }
template <typename E>
requires std::is_enum_v<E> json to_value(E v) { return std::string(to_string(v)); }
template <typename T>
json to_value(const std::optional<T>& v) {
  return v ? to_value(*v) : json(nullptr);
}

std::string text_of(const json& v) { return v.get<std::string>(); }

void assign(bool& out, const json& v) { out = v.get<bool>(); }
void assign(int& out, const json& v) { out = v.get<int>(); }
void assign(std::int64_t& out, const json& v) { out = v.get<std::int64_t>(); }
void assign(double& out, const json& v) { out = v.get<double>(); }
void assign(std::string& out, const json& v) { out = text_of(v); }
void assign(system_kind& out, const json& v) { out = parse_system(text_of(v)).value(); }
void assign(overlap_mode& out, const json& v) { out = parse_overlap(text_of(v)).value(); }
void assign(warmup_mode& out, const json& v) { out = parse_warmup(text_of(v)).value(); }
void assign(handover_mode& out, const json& v) { out = parse_handover(text_of(v)).value(); }
void assign(eviction_policy& out, const json& v) { out = parse_policy(text_of(v)).value(); }
void assign(key_reads_mode& out, const json& v) { out = parse_key_reads(text_of(v)).value(); }
void assign(weights_mode& out, const json& v) { out = parse_weights(text_of(v)).value(); }
void assign(batch_choice& out, const json& v) {
  if (v.is_number()) {
    out = v.get<int>();
  } else if (v == "max") {
    out = max_batch{};
  } else {
    out = max_batch_of{parse_system(text_of(v).substr(4)).value()};
  }
}
template <typename T>
void assign(std::optional<T>& out, const json& v) {
  if (v.is_null()) {
    out.reset();
  } else {
    assign(out.emplace(), v);
  }
}

template <typename T>
struct inside {
  using type = T;
};
template <typename T>
struct inside<std::optional<T>> {
  using type = T;
};

template <typename T>
constexpr value_type type_of() {
  if constexpr (std::is_same_v<T, bool>) return value_type::boolean;
  if constexpr (std::is_same_v<T, int> || std::is_same_v<T, std::int64_t>) return value_type::integer;
  if constexpr (std::is_same_v<T, double>) return value_type::number;
  if constexpr (std::is_same_v<T, std::string>) return value_type::text;
  if constexpr (std::is_same_v<T, batch_choice>) return value_type::batch;
  if constexpr (std::is_enum_v<T>) return value_type::choice;
}

struct row {
  std::string_view path;
  std::string_view unit = {};
  value_range range = {};
  std::string_view help;
  matters_for kinds = matters_for::both;
  std::string_view alternative = {};
  std::span<const std::string_view> choices = {};
};

// `ref` names the member: a lambda from settings to a reference into it.
template <auto ref>
field make(const row& r) {
  using value = typename inside<std::remove_cvref_t<decltype(ref(std::declval<settings&>()))>>::type;
  field made{.path = r.path,
             .type = r.choices.empty() ? type_of<value>() : value_type::choice,
             .unit = r.unit,
             .range = r.range,
             .kinds = r.kinds,
             .alternative = r.alternative,
             .choices = r.choices,
             .help = r.help,
             .get = [](const settings& s) { return to_value(ref(s)); },
             .set = [](settings& s, const json& v) { assign(ref(s), v); }};
  if constexpr (std::is_same_v<value, int>) made.range.max = std::min(made.range.max, largest_int);
  if constexpr (std::is_same_v<value, std::int64_t>) made.range.max = std::min(made.range.max, largest_exact);
  return made;
}

#define MEMBER(name)                             \
  make < [](auto& s) -> auto& { return s.name; } \
  >

// Points are laid out in this order too: the first axis varies slowest.
std::vector<field> make_fields() {
  using enum matters_for;
  const auto switches = [](std::string_view path, std::string_view help) {
    return row{.path = path, .help = help};
  };
  return {
      MEMBER(system)(
          {.path = "system", .help = "cache system (`systems`: a list)", .choices = system_names()}),
      MEMBER(model.preset)(
          {.path = "model.preset", .help = "model dimensions", .choices = ess::model_preset_names()}),
      MEMBER(model.layers)({.path = "model.layers", .help = "layers that run; 0: all of the preset"}),
      MEMBER(model.experts)(
          {.path = "model.experts", .help = "routed experts a layer; 0: all of the preset"}),
      MEMBER(model.ep_slice)({.path = "model.ep_slice",
                              .range = {1, 256},
                              .help = "one of this many slices of the experts is held"}),
      MEMBER(model.weights)({.path = "model.weights",
                             .help = "values that weights have; a device that computes in f32 rounds to them",
                             .choices = weights_names()}),
      MEMBER(model.distinct_layers)(
          {.path = "model.distinct_layers",
           .help = "layers that have weights of their own; the others repeat them, which "
                   "spares set-up and no memory; 0: all"}),
      MEMBER(cluster.nodes)({.path = "cluster.nodes", .help = "nodes; 0: of the hardware profile"}),
      MEMBER(cluster.ep)({.path = "cluster.ep", .help = "expert-parallel ranks; 0: of the hardware profile"}),
      MEMBER(cluster.imbalance)({.path = "cluster.imbalance",
                                 .range = {0, 1.01},
                                 .help = "exponent of the power law by which experts are chosen; 0: evenly; "
                                         "none: of the hardware profile"}),
      MEMBER(simulation.requests)(
          {.path = "simulation.requests",
           .unit = "requests",
           .help = "requests whose pools the simulator follows exactly at a time; 0: all"}),
      MEMBER(simulation.layers)(
          {.path = "simulation.layers", .help = "layers that the simulator follows exactly; 0: all"}),
      MEMBER(simulation.locality)(
          {.path = "simulation.locality",
           .help = "model of locality that the simulator draws selections from: a shipped one, or a file"}),
      MEMBER(simulation.misses)(
          {.path = "simulation.misses",
           .unit = "rows",
           .help = "misses of every request and layer in every step, to look at overlap apart from locality; "
                   "0: what the pools miss"}),
      MEMBER(simulation.key_reads)(
          {.path = "simulation.key_reads",
           .help = "whether a step reads a request's indexer keys once or once a query token",
           .choices = key_reads_names()}),
      MEMBER(context_tokens)({.path = "context_tokens",
                              .unit = "tokens",
                              .range = {1, 1 << 22},
                              .help = "context of a request when its decode starts",
                              .kinds = fixed}),
      MEMBER(batch)({.path = "batch",
                     .unit = "requests",
                     .range = {1, 1 << 20},
                     .help =
                         "requests decoded together; \"max\": the most that fits; \"max:SYSTEM\": the most "
                         "that fits for SYSTEM in the same budget"}),
      MEMBER(steps)({.path = "steps", .range = {1}, .help = "most steps that are measured"}),
      MEMBER(seed)({.path = "seed", .help = "of every random number"}),
      MEMBER(device_budget_bytes)({.path = "device_budget_bytes",
                                   .unit = "bytes",
                                   .help = "device memory, weights included; 0: unlimited",
                                   .alternative = "device_budget_beyond_weights_bytes"}),
      MEMBER(device_budget_beyond_weights_bytes)({.path = "device_budget_beyond_weights_bytes",
                                                  .unit = "bytes",
                                                  .range = {1},
                                                  .help = "device memory: the model's weights and this",
                                                  .alternative = "device_budget_bytes"}),
      MEMBER(host_budget_bytes)(
          {.path = "host_budget_bytes", .unit = "bytes", .help = "host tier; 0: unlimited"}),
      MEMBER(mtp)({.path = "mtp", .range = {1, 4}, .help = "query tokens a request and step"}),
      MEMBER(mtp_accept)({.path = "mtp_accept",
                          .unit = "tokens",
                          .range = {1, 4},
                          .help = "mean tokens kept a step (the paper's accept ratio), at most mtp"}),
      MEMBER(two_batch_overlap)(switches("two_batch_overlap", "two micro-batches alternate")),
      MEMBER(sparse_ratio)({.path = "sparse_ratio",
                            .range = {0, 1, true},
                            .help = "pool slots over context; hisparse has a pool of fixed size",
                            .alternative = "pool_rows"}),
      MEMBER(pool_rows)({.path = "pool_rows",
                         .unit = "rows",
                         .range = {1},
                         .help = "pool slots a request and layer; hisparse: 2 x top-k if not given",
                         .alternative = "sparse_ratio"}),
      MEMBER(pool_weights)({.path = "pool_weights",
                            .help = "size of each layer's pool beside the others', a number a layer: \"0.5 1 "
                                    "1.5\"; the total stays; empty: all alike"}),
      MEMBER(policy)({.path = "policy", .help = "eviction from the pool", .choices = policy_names()}),
      MEMBER(warmup)(
          {.path = "warmup", .help = "what the pool holds before the first step", .choices = warmup_names()}),
      MEMBER(warmup_windows)(
          {.path = "warmup_windows", .help = "last prompt positions whose top-k warm the pool"}),
      MEMBER(distinct_prompts)({.path = "distinct_prompts",
                                .help = "prompts that requests share in turn, which spares memory and set-up "
                                        "where there are many long ones; what they ask differs; 0: each has "
                                        "its own"}),
      MEMBER(prefetch_rows)(
          {.path = "prefetch_rows",
           .unit = "rows",
           .range = {0, 65'536},
           .help = "rows ranked below the cut that are fetched ahead, a request and layer, while the link is "
                   "idle; policy lru; 0: none"}),
      MEMBER(handover)(
          {.path = "handover", .help = "where a prefilled cache arrives", .choices = handover_names()}),
      MEMBER(overlap)(
          {.path = "overlap", .help = "order of transfer and compute", .choices = overlap_names()}),
      MEMBER(layer_misses)({.path = "layer_misses",
                            .help = "overlap layerwise: misses a request and step, a number a layer; empty: "
                                    "measured in the warm-up"}),
      MEMBER(dba_from_misses)(
          {.path = "dba_from_misses",
           .unit = "rows",
           .help = "overlap layerwise: misses a request and step from which a layer takes dba; 0: a tenth of "
                   "top-k"}),
      MEMBER(host_row_pitch_bytes)(
          {.path = "host_row_pitch_bytes",
           .unit = "bytes",
           .range = {0, 65536},
           .help = "distance of rows in the host store, a multiple of 16; 0: the row's size"}),
      MEMBER(cpu_threads)(
          {.path = "cpu_threads", .range = {0, 4096}, .help = "compute threads; 0: one a core"}),
      MEMBER(link.paced)(switches("link.paced", "hold host transfers to the rates below (CPU device)")),
      MEMBER(link.gather_gb_per_s)({.path = "link.gather_gb_per_s",
                                    .unit = "GB/s",
                                    .range = {0, unlimited, true},
                                    .help = "paced rate of gathered and scattered rows"}),
      MEMBER(link.copy_gb_per_s)({.path = "link.copy_gb_per_s",
                                  .unit = "GB/s",
                                  .range = {0, unlimited, true},
                                  .help = "paced rate of contiguous copies"}),
      MEMBER(link.call_us)({.path = "link.call_us", .unit = "us", .help = "paced cost of one copy call"}),
      MEMBER(link.batched_calls)({.path = "link.batched_calls",
                                  .help = "naive_memcpy on a CUDA device: all copies of a layer in one call of the "
                                          "runtime (cudaMemcpyBatchAsync)"}),
      MEMBER(requests.trace)({.path = "requests.trace",
                              .help = "request log to replay; empty: a synthetic one",
                              .kinds = serve}),
      MEMBER(requests.rate_per_s)({.path = "requests.rate_per_s",
                                   .unit = "1/s",
                                   .range = {0, unlimited, true},
                                   .help = "mean arrival rate of the synthetic log",
                                   .kinds = serve}),
      MEMBER(requests.count)(
          {.path = "requests.count", .help = "first requests used; 0: the whole log", .kinds = serve}),
      MEMBER(requests.max_context_tokens)({.path = "requests.max_context_tokens",
                                           .unit = "tokens",
                                           .range = {0, 1 << 22},
                                           .help = "most prompt and output tokens of a request; 0: no limit",
                                           .kinds = serve}),
      MEMBER(requests.slo_tpot_ms)(
          {.path = "requests.slo_tpot_ms",
           .unit = "ms",
           .help = "time per output token within which a request counts as served well; 0: no limit",
           .kinds = serve}),
      MEMBER(requests.length_scale)(
          {.path = "requests.length_scale",
           .range = {0, 1000},
           .help = "factor on lengths; 0: the largest up to 1 at which all requests fit",
           .kinds = serve}),
      MEMBER(requests.time_scale)({.path = "requests.time_scale",
                                   .help = "factor on arrival times; 0: all arrive at once",
                                   .kinds = serve}),
      MEMBER(requests.prompt_tokens_p50)({.path = "requests.prompt_tokens_p50",
                                          .unit = "tokens",
                                          .range = {1},
                                          .help = "median prompt of the synthetic log",
                                          .kinds = serve}),
      MEMBER(requests.prompt_tokens_p95)({.path = "requests.prompt_tokens_p95",
                                          .unit = "tokens",
                                          .range = {1},
                                          .help = "95th percentile of its prompts",
                                          .kinds = serve}),
      MEMBER(requests.prompt_tokens_max)({.path = "requests.prompt_tokens_max",
                                          .unit = "tokens",
                                          .range = {1},
                                          .help = "longest of its prompts",
                                          .kinds = serve}),
      MEMBER(requests.output_tokens_p50)({.path = "requests.output_tokens_p50",
                                          .unit = "tokens",
                                          .range = {1},
                                          .help = "median output of the synthetic log",
                                          .kinds = serve}),
      MEMBER(requests.output_tokens_p95)({.path = "requests.output_tokens_p95",
                                          .unit = "tokens",
                                          .range = {1},
                                          .help = "95th percentile of its outputs",
                                          .kinds = serve}),
      MEMBER(requests.output_tokens_max)({.path = "requests.output_tokens_max",
                                          .unit = "tokens",
                                          .range = {1},
                                          .help = "longest of its outputs",
                                          .kinds = serve}),
      MEMBER(measure.warmup_steps)({.path = "measure.warmup_steps", .help = "steps before the first sample"}),
      MEMBER(measure.min_samples)({.path = "measure.min_samples", .range = {1}, .help = "fewest samples"}),
      MEMBER(measure.max_samples)({.path = "measure.max_samples", .range = {1}, .help = "most samples"}),
      MEMBER(measure.max_seconds)({.path = "measure.max_seconds",
                                   .unit = "s",
                                   .range = {0, unlimited, true},
                                   .help = "time after which no further sample starts"}),
      MEMBER(measure.relative_ci)({.path = "measure.relative_ci",
                                   .range = {0, 1},
                                   .help = "half width of the median's interval at which sampling may stop"}),
      MEMBER(accuracy.steps)({.path = "accuracy.steps", .help = "steps checked before timing"}),
      MEMBER(accuracy.requests)({.path = "accuracy.requests", .help = "requests checked, sampled"}),
      MEMBER(accuracy.layers)({.path = "accuracy.layers", .help = "layers checked, sampled; 0: all"}),
  };
}

#undef MEMBER

}  // namespace

std::span<const field> fields() {
  static const std::vector<field> table = make_fields();
  return table;
}

const field* find_field(std::string_view path) {
  const auto at = std::ranges::find(fields(), path, &field::path);
  return at == fields().end() ? nullptr : &*at;
}

bool matters(const field& of, workload_kind kind) {
  if (of.kinds == matters_for::both) return true;
  return (of.kinds == matters_for::fixed) == (kind == workload_kind::fixed);
}

json to_json_value(const batch_choice& batch) {
  if (const int* count = std::get_if<int>(&batch)) return static_cast<std::int64_t>(*count);
  if (const auto* other = std::get_if<max_batch_of>(&batch))
    return "max:" + std::string(to_string(other->system));
  return "max";
}

json to_flat_json(const settings& of) {
  json flat = json::object();
  for (const field& f : fields()) {
    if (!matters(f, of.kind)) continue;
    if (json value = f.get(of); !value.is_null()) flat[std::string(f.path)] = std::move(value);
  }
  return flat;
}

}  // namespace workloads
