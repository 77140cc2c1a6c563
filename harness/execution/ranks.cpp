#include "harness/execution/ranks.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "ess_core/base/digest.h"
#include "results/statistics.h"

namespace harness {
namespace {

using results::attempt_record;
using results::attempt_status;

std::string sha256_of_program() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return ess::sha256_hex(bytes.str());
}

// Where two workloads differ, by the first path that does.
std::string first_difference(const std::string& of_first, const std::string& here) {
  const auto a = nlohmann::json::parse(of_first, nullptr, false);
  const auto b = nlohmann::json::parse(here, nullptr, false);
  const nlohmann::json difference = nlohmann::json::diff(a, b);
  if (difference.empty()) return "its text";
  const std::string path = difference.front().at("path").get<std::string>();
  const auto value = [&](const nlohmann::json& of) {
    const nlohmann::json::json_pointer at(path);
    return of.contains(at) ? of.at(at).dump() : "nothing";
  };
  return fmt::format("{}: {} on the first rank, {} here", path, value(a), value(b));
}

nlohmann::json as_json(const ess::row_totals& r) {
  return {r.asked, r.hits, r.misses, r.rows_in, r.rows_out, r.ahead_in, r.ahead_used, r.ahead_lost};
}

ess::row_totals rows_from(const nlohmann::json& of) {
  const auto v = of.get<std::vector<std::int64_t>>();
  return {v.at(0), v.at(1), v.at(2), v.at(3), v.at(4), v.at(5), v.at(6), v.at(7)};
}

template <class T>
void add_each(const std::vector<T>& from, std::vector<T>& into) {
  into.resize(std::max(into.size(), from.size()));
  for (std::size_t i = 0; i < from.size(); ++i) into[i] += from[i];
}

void largest_each(const std::vector<double>& from, std::vector<double>& into) {
  into.resize(std::max(into.size(), from.size()));
  for (std::size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

void put_one(attempt_record& out, const char* name, double value, const char* unit) {
  out.metrics[name] = results::summarise(std::span(&value, 1), unit);
}

double most_over_mean(const std::vector<double>& of) {
  const double sum = std::accumulate(of.begin(), of.end(), 0.0);
  return sum > 0 ? *std::ranges::max_element(of) * static_cast<double>(of.size()) / sum : 1.0;
}

// Of the samples, those in which the rank that was busy longest most often was so.
double share_of_slowest(const std::vector<rank_figures>& all) {
  std::vector<double> slowest(all.size());
  const std::size_t samples = all.front().exposed_us.size();
  for (std::size_t i = 0; i < samples; ++i) {
    const auto busy = [&](const rank_figures& r) { return r.step_us[i] - r.exposed_us[i]; };
    slowest[static_cast<std::size_t>(std::ranges::max_element(all, {}, busy) - all.begin())] += 1;
  }
  return *std::ranges::max_element(slowest) / static_cast<double>(samples);
}

}  // namespace

rank_facts facts_of_this_process(std::string device, std::string workload, std::string options) {
  return {.program = sha256_of_program(),
          .device = std::move(device),
          .workload = std::move(workload),
          .options = std::move(options)};
}

void check_same(ess::communicator& ranks, const rank_facts& here) {
  const auto text = nlohmann::json{here.program, here.device, here.workload, here.options}.dump();
  const std::vector<std::string> all = ranks.gather(text);
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank] == all.front()) continue;
    const auto first = nlohmann::json::parse(all.front());
    const auto other = nlohmann::json::parse(all[rank]);
    const auto differs = [&](int field) { return first.at(field) != other.at(field); };
    std::string what =
        fmt::format("its options ({} on the first rank, {} here)", first.at(3).dump(), other.at(3).dump());
    if (differs(0))
      what = fmt::format("the program (SHA-256 {} on the first rank, {} here)",
                         first.at(0).get<std::string>().substr(0, 12),
                         other.at(0).get<std::string>().substr(0, 12));
    else if (differs(2))
      what = fmt::format("the workload ({})", first_difference(first.at(2), other.at(2)));
    else if (differs(1))
      what = fmt::format("the device ({} on the first rank, {} here)", first.at(1).get<std::string>(),
                         other.at(1).get<std::string>());
    throw rank_mismatch(fmt::format("rank {} differs from the first one in {}", rank, what));
  }
}

part_end agree(ess::communicator& ranks, const part_end& here) {
  if (ranks.ranks() == 1) return here;
  const bool fine = here.status == attempt_status::ok;
  const std::vector<std::string> all =
      ranks.gather(fine ? "" : fmt::format("{} {}", to_string(here.status), here.reason));
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    const std::size_t space = all[rank].find(' ');
    return {
        .status = results::parse_attempt_status(all[rank].substr(0, space)).value_or(attempt_status::error),
        .reason = fmt::format("rank {}: {}", rank, all[rank].substr(space + 1))};
  }
  return {};
}

core_share share_of_cores(ess::communicator& ranks) {
  if (ranks.ranks() == 1) return {};
  cpu_set_t usable;
  CPU_ZERO(&usable);
  sched_getaffinity(0, sizeof usable, &usable);
  std::ifstream host("/proc/sys/kernel/hostname");
  std::string name;
  std::getline(host, name);
  const std::vector<std::string> all =
      ranks.gather(name + std::string(reinterpret_cast<const char*>(&usable), sizeof usable));
  const auto own = static_cast<std::size_t>(ranks.rank());
  const auto same = [&](const std::string& other) { return other == all[own]; };
  return {.of = static_cast<int>(std::ranges::count_if(all, same)),
          .index = static_cast<int>(std::count_if(all.begin(), all.begin() + ranks.rank(), same))};
}

void rank_figures::add(const ess::step_report& step) {
  step_us.push_back(step.timing.total.count());
  late_share.push_back(step.timing.link_late.count() / step.timing.total.count());
  if (step.step_overlap) overlap.push_back(*step.step_overlap);
  rows.push_back(step.rows);
  tokens.push_back(std::accumulate(step.kept.begin(), step.kept.end(), 0));
  add_each(step.timing.experts.rows_by_expert, experts.rows_by_expert);
  experts.rows_here += step.timing.experts.rows_here;
  experts.bytes_sent += step.timing.experts.bytes_sent;
}

std::vector<rank_figures> gather(ess::communicator& ranks, const rank_figures& here) {
  if (ranks.ranks() == 1) return {here};
  nlohmann::json rows = nlohmann::json::array();
  for (const ess::row_totals& r : here.rows) rows.push_back(as_json(r));
  const nlohmann::json all_here = {here.step_us,
                                   here.exposed_us,
                                   here.late_share,
                                   here.overlap,
                                   rows,
                                   here.tokens,
                                   here.experts.rows_by_expert,
                                   here.experts.rows_here,
                                   here.experts.bytes_sent};
  std::vector<rank_figures> out;
  for (const std::string& text : ranks.gather(all_here.dump())) {
    const auto of = nlohmann::json::parse(text);
    rank_figures r{.step_us = of.at(0),
                   .exposed_us = of.at(1),
                   .late_share = of.at(2),
                   .overlap = of.at(3),
                   .rows = {},
                   .tokens = of.at(5),
                   .experts = {.rows_by_expert = of.at(6), .rows_here = of.at(7), .bytes_sent = of.at(8)}};
    for (const nlohmann::json& step : of.at(4)) r.rows.push_back(rows_from(step));
    out.push_back(std::move(r));
  }
  return out;
}

rank_figures together(const std::vector<rank_figures>& all) {
  if (all.size() == 1) return all.front();
  rank_figures out;
  for (const rank_figures& r : all) {
    largest_each(r.step_us, out.step_us);
    largest_each(r.exposed_us, out.exposed_us);
    largest_each(r.late_share, out.late_share);
    add_each(r.overlap, out.overlap);
    add_each(r.rows, out.rows);
    add_each(r.tokens, out.tokens);
    add_each(r.experts.rows_by_expert, out.experts.rows_by_expert);
    out.experts.rows_here += r.experts.rows_here;
    out.experts.bytes_sent += r.experts.bytes_sent;
  }
  for (double& share : out.overlap) share /= static_cast<double>(all.size());
  return out;
}

void put_ranks(const std::vector<rank_figures>& all, std::int32_t expert_layers, attempt_record& out) {
  const rank_figures sum = together(all);
  const auto samples = static_cast<double>(sum.step_us.size());
  if (samples == 0) return;
  if (!sum.experts.rows_by_expert.empty()) {
    std::vector<double>& by_expert = out.series["rows_by_expert"];
    for (const std::int64_t rows : sum.experts.rows_by_expert)
      by_expert.push_back(static_cast<double>(rows) / samples);
    put_one(out, "expert_imbalance", most_over_mean(by_expert), "");
  }
  if (all.size() == 1) return;
  for (const rank_figures& r : all) {
    out.series["step_us_by_rank"].push_back(results::median(r.step_us));
    out.series["rows_by_rank"].push_back(static_cast<double>(r.experts.rows_here) / samples);
    if (!r.exposed_us.empty()) out.series["wait_us_by_rank"].push_back(results::median(r.exposed_us));
  }
  put_one(out, "ranks", static_cast<double>(all.size()), "");
  if (sum.experts.bytes_sent == 0) return;
  put_one(out, "rank_imbalance", most_over_mean(out.series.at("rows_by_rank")), "");
  put_one(out, "exchange_bytes_per_step", static_cast<double>(sum.experts.bytes_sent) / samples, "B");
  if (sum.exposed_us.size() != sum.step_us.size()) return;
  put_one(out, "slowest_rank_share", share_of_slowest(all), "");
  std::vector<double> by_layer;
  for (const double us : sum.exposed_us) by_layer.push_back(us / expert_layers);
  out.metrics["exposed_exchange_us_per_layer"] = results::summarise(by_layer, "us");
}

std::string digest_of_outputs(ess::communicator& ranks, const ess::device& device,
                              const ess::memory_layout& layout, const std::vector<ess::request>& requests) {
  const auto of_request = static_cast<std::size_t>(layout.shape.query_tokens) *
                          static_cast<std::size_t>(layout.model.hidden) * sizeof(float);
  std::string bytes(of_request, '\0');
  std::string own;
  for (std::size_t seat = 0; seat < requests.size(); ++seat) {
    device.read(ess::buffer_id::hidden, static_cast<std::int64_t>(seat * of_request),
                std::as_writable_bytes(std::span(bytes)));
    own += fmt::format("{} {}\n", requests[seat].id, ess::sha256_hex(bytes));
  }
  std::map<ess::request_id, std::string> by_request;
  for (const std::string& text : ranks.gather(own)) {
    std::istringstream lines(text);
    ess::request_id id = 0;
    for (std::string digest; lines >> id >> digest;) by_request[id] = digest;
  }
  if (ranks.rank() != 0) return {};
  std::string all;
  for (const auto& [id, digest] : by_request) all += digest;
  return ess::sha256_hex(all);
}

}  // namespace harness
