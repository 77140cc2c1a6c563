// essbench trace synth
#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <new>

#include "ess_core/locality/synthetic_trace.h"
#include "harness/command_line/trace_commands.h"
#include "workloads/locality_model.h"

namespace harness {
namespace {

struct synth_arguments {
  std::string model;
  std::string out;
  std::optional<ess::token_id> context;
  std::optional<std::int32_t> top_k;
  std::int32_t steps = ess::synthetic_request{}.steps;
  std::string layers;
  std::uint64_t seed = ess::synthetic_request{}.seed;
  std::vector<std::string> set;
  bool no_lead_in = false;
  bool json = false;
};

std::optional<std::int32_t> whole(std::string_view text) {
  std::int32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct layer_range {
  std::int32_t first = 0;
  std::int32_t last = 0;
};

// "3" or "0-7"; all layers if empty.
layer_range parse_layers(std::string_view text, std::int32_t layers) {
  if (text.empty()) return {0, layers - 1};
  const auto dash = text.find('-');
  const auto first = whole(text.substr(0, dash));
  const auto last = dash == text.npos ? first : whole(text.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first || *last >= layers) {
    refuse(exit_code::usage,
           fmt::format("--layers {}: must be one of the layers 0 to {}, or a range of them such as 0-7", text,
                       layers - 1));
  }
  return {*first, *last};
}

ess::synthetic_request request_of(const synth_arguments& arguments, const workloads::locality_model& model) {
  const layer_range layers = parse_layers(arguments.layers, static_cast<std::int32_t>(model.layers.size()));
  return {.stream = model.stream,
          .layers = {model.layers.begin() + layers.first, model.layers.begin() + layers.last + 1},
          .first_layer = layers.first,
          .top_k = arguments.top_k.value_or(model.top_k),
          .context = arguments.context.value_or(static_cast<ess::token_id>(model.context_tokens)),
          .steps = arguments.steps,
          .start = arguments.no_lead_in ? ess::lead_in::none : ess::lead_in::whole_stack,
          .seed = arguments.seed};
}

ess::index_trace make(const ess::synthetic_request& request) {
  try {
    auto trace = ess::synthesize(request);
    if (trace) return *std::move(trace);
    const std::string& hint = trace.error().hint;
    refuse(exit_code::usage,
           fmt::format("trace synth: {}{}{}", trace.error().what, hint.empty() ? "" : "; ", hint));
  } catch (const std::bad_alloc&) {
    refuse(exit_code::usage,
           "trace synth: so many ids do not fit into memory; ask for fewer steps or layers");
  }
}

workloads::trace_manifest manifest_of(const synth_arguments& arguments,
                                      const workloads::locality_model& model,
                                      const ess::synthetic_request& request) {
  const auto last_layer = request.first_layer + static_cast<std::int32_t>(request.layers.size()) - 1;
  return {
      {},
      fmt::format("synthetic: locality of {}, layers {} to {}, {} tokens, seed {}; figures of {}", model.name,
                  request.first_layer, last_layer, request.context, request.seed, model.source),
      workloads::trace_synthesis{.model = arguments.model,
                                 .model_sha256 = model.sha256,
                                 .seed = request.seed,
                                 .context_tokens = request.context,
                                 .lead_in_steps = ess::lead_in_steps(request),
                                 .first_layer = request.first_layer,
                                 .set = arguments.set}};
}

exit_code synth(const synth_arguments& arguments) {
  const auto file = taken(workloads::find_locality(arguments.model));
  const auto model = taken(workloads::load_locality(file, arguments.set));
  const ess::synthetic_request request = request_of(arguments, model);
  const ess::index_trace trace = make(request);
  workloads::trace_manifest manifest = manifest_of(arguments, model, request);
  write_trace_and_manifest(arguments.out, trace, manifest);
  print_trace(arguments.out, manifest, arguments.json);
  return exit_code::ok;
}

void add_sizes(CLI::App& command, synth_arguments& into) {
  command
      .add_option("--context", into.context,
                  "Tokens before the first step; default: that of the model's figures")
      ->check(CLI::PositiveNumber);
  command.add_option("--steps", into.steps, "Query tokens behind the lead-in")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--layers", into.layers, "One layer of the model, or a range such as 0-7; default: all");
  command.add_option("--top-k", into.top_k, "Rows of a selection; default: the model's")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_trace_synth(CLI::App& trace, action& chosen) {
  CLI::App* command =
      trace.add_subcommand("synth", "A trace file from a model of locality (docs/locality.md)");
  const auto arguments = std::make_shared<synth_arguments>();
  command->add_option("MODEL", arguments->model, "A shipped model's name, such as deepseek_v3_2, or a file")
      ->required();
  command->add_option("--out", arguments->out, "The trace file to write")->required();
  add_sizes(*command, *arguments);
  command->add_option("--seed", arguments->seed, "Equal seeds give equal bytes, on every machine")
      ->capture_default_str();
  command
      ->add_option("--set", arguments->set,
                   "Change the model: overlap=0.7, misses=1.5 (a factor), sinks=, recent=, burst_every=, "
                   "burst_length=, burst_factor=")
      ->expected(1)
      ->take_all()
      ->type_name("NAME=VALUE");
  command->add_flag("--no-lead-in", arguments->no_lead_in,
                    "Leave out the first steps, which use every row once and so warm a pool of any size");
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([&chosen, arguments] { chosen = [arguments] { return synth(*arguments); }; });
}

}  // namespace harness
