// Runs made of Google Benchmark's JSON: a point a benchmark, a sample a repetition.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "results/google_benchmark.h"
#include "results/import/import_report.h"

namespace results {

// Whether a file's text looks like Google Benchmark's JSON, or any JSON.
[[nodiscard]] bool looks_like_benchmark(std::string_view beginning);

// Makes of a host's name what may be stored of it.
using host_name_hash = std::string (*)(std::string_view);

// The run's id follows from the text, so the same report is the same run. Throws bench_error for a report
// without repetitions, times or a date.
[[nodiscard]] loaded_run run_of_benchmark(std::string_view json, std::string_view file, host_name_hash hash);

// One transaction. Throws bench_error for what cannot be read, store_error for the database.
import_report import_benchmark(const std::filesystem::path& source, const import_options& options,
                               host_name_hash hash);

}  // namespace results
