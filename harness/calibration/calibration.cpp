#include "harness/calibration/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "ess_core/base/digest.h"
#include "ess_core/device/cpu/cpu_device.h"
#include "results/statistics.h"
#include "results/text_table.h"

namespace harness {
namespace {

using ess::transfer;
using ess::transfer_kind;

constexpr std::int32_t row = 656;
constexpr std::int64_t megabyte = 1'000'000;

calibration_step block(transfer_kind kind, std::int64_t bytes) {
  return {fmt::format("{}, {}", to_string(kind), to_string(ess::byte_count{bytes})),
          {.kind = kind, .bytes = bytes}};
}

calibration_step rows(transfer_kind kind, std::int32_t count, std::int32_t row_bytes = row,
                      std::int32_t pitch = row, std::int32_t blocks = 0) {
  std::string label = fmt::format("{} {} x {} B", to_string(kind), count, row_bytes);
  if (pitch != row_bytes) label += fmt::format(", pitch {}", pitch);
  if (blocks > 0) label += fmt::format(", {} blocks", blocks);
  return {std::move(label),
          {.kind = kind, .rows = count, .row_bytes = row_bytes, .row_pitch = pitch, .blocks = blocks}};
}

nlohmann::json as_settings(const transfer& t) {
  nlohmann::json out = {{"transfer.kind", to_string(t.kind)}};
  if (t.rows == 0) {
    out["transfer.bytes"] = t.bytes;
    return out;
  }
  out["transfer.rows"] = t.rows;
  out["transfer.row_bytes"] = t.row_bytes;
  out["transfer.row_pitch_bytes"] = t.row_pitch;
  if (t.blocks > 0) out["transfer.blocks"] = t.blocks;
  return out;
}

results::utc_time now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

std::vector<calibration_step> calibration_steps(device_family family) {
  const bool small = family == device_family::cuda_emulated;
  const std::int64_t bytes = small ? megabyte / 10 : 256 * megabyte;
  std::vector<calibration_step> out;
  for (const auto kind : {transfer_kind::copy_to_device, transfer_kind::copy_to_host,
                          transfer_kind::copy_both, transfer_kind::device_copy}) {
    out.push_back(block(kind, bytes));
  }
  const std::int32_t many = small ? 64 : 16384;
  out.push_back(rows(transfer_kind::small_copies, small ? 8 : 1024));
  for (const std::int32_t count : {64, 256, 1024, 4096, 16384, 65536}) {
    if (count <= many * 4) out.push_back(rows(transfer_kind::gather, count));
  }
  for (const std::int32_t pitch : {672, 704, 768, 1024})
    out.push_back(rows(transfer_kind::gather, many, row, pitch));
  for (const std::int32_t size : {512, 640, 1152})
    out.push_back(rows(transfer_kind::gather, many, size, size));
  if (is_cuda(family)) {
    for (const std::int32_t blocks : {4, 8, 32, 64, 128})
      out.push_back(rows(transfer_kind::gather, many, row, row, blocks));
  }
  for (const std::int32_t count : {320, 4096})
    out.push_back(rows(transfer_kind::scatter, small ? count / 10 : count));
  return out;
}

std::unique_ptr<ess::transfer_probe> make_probe(const target& on) {
  switch (on.family()) {
    case device_family::cpu:
      return ess::make_cpu_probe();
    case device_family::cuda_emulated:
      return ess::cuda_emulated::make_probe(0);
    case device_family::cuda:
#ifdef ESSBENCH_CUDA
      return ess::cuda::make_probe(0);
#endif
    case device_family::simulated:
      break;
  }
  throw ess::unsupported(fmt::format("{} has nothing to measure", on.device()));
}

results::workload_record calibration_record(const std::vector<calibration_step>& steps) {
  nlohmann::json list = nlohmann::json::array();
  for (const calibration_step& step : steps) list.push_back(as_settings(step.what));
  std::string text = nlohmann::json{{"name", calibration_name}, {"transfers", list}}.dump();
  std::string hash = ess::sha256_hex(text);
  return {std::string(calibration_name), std::move(hash), std::move(text)};
}

results::point_record point_of(const calibration_step& step, const target& on,
                               const results::workload_record& workload) {
  results::point_record out{.label = step.label,
                            .system = std::string(to_string(step.what.kind)),
                            .device = on.device(),
                            .clock = std::string(to_string(clock_of(on.family()))),
                            .requested = as_settings(step.what),
                            .effective = as_settings(step.what)};
  out.identity = results::point_identity(out, workload.hash);
  return out;
}

results::attempt_record attempt_of(const calibration_step& step, ess::transfer_probe& probe, int samples) {
  results::attempt_record out{.stop_reason = "max_samples", .started_at = now()};
  std::vector<double> us, gb_per_s;
  for (const ess::microseconds time : probe.measure(step.what, samples)) {
    us.push_back(time.count());
    gb_per_s.push_back(static_cast<double>(step.what.moved()) / time.count() * 1e-3);
  }
  out.metrics["transfer_us"] = results::summarise(us, "us");
  out.metrics["transfer_gb_per_s"] = results::summarise(gb_per_s, "GB/s");
  out.samples["transfer_us"] = std::move(us);
  out.ended_at = now();
  return out;
}

std::string calibration_text(const results::loaded_run& run) {
  results::text_table table(
      {{{"transfer"}, results::alignment::left}, {{"us"}}, {{"GB/s"}}, {{"from"}}, {{"to"}}});
  for (const results::loaded_point& point : run.points) {
    const auto* us = results::find_metric(point, "transfer_us");
    const auto* rate = results::find_metric(point, "transfer_gb_per_s");
    if (us == nullptr || rate == nullptr) continue;
    table.add({point.point.label, fmt::format("{:.1f}", us->median), fmt::format("{:.2f}", rate->median),
               fmt::format("{:.2f}", rate->lo), fmt::format("{:.2f}", rate->hi)});
  }
  return table.text();
}

}  // namespace harness
