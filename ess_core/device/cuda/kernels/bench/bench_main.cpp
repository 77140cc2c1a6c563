// --tiny, --launches=one_by_one and --batch_ms=N, and the options of Google Benchmark.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "ess_core/device/cuda/kernels/bench/kernel_bench.h"

namespace ess::ESS_CUDA::bench {
namespace {

bool take_option(std::string_view arg) {
  constexpr std::string_view batch_ms = "--batch_ms=";
  run_options& o = options();
  if (arg == "--tiny") {
    o.tiny = true;
  } else if (arg == "--launches=one_by_one") {
    o.graphs = false;
  } else if (arg.starts_with(batch_ms)) {
    o.batch_ms = std::stod(std::string(arg.substr(batch_ms.size())));
  } else {
    return false;
  }
  return true;
}

// One batch of launches is long enough to be timed, so one is made unless the options ask for more.
std::vector<char*> options_left(int argc, char** argv) {
  static char least_time[] = "--benchmark_min_time=0.000001";
  std::vector<char*> left = {argv[0], least_time};
  for (int i = 1; i < argc; ++i) {
    if (!take_option(argv[i])) left.push_back(argv[i]);
  }
  left.push_back(nullptr);
  return left;
}

void add_all() {
  add_linear();
  add_attention();
  add_indexer();
  add_elementwise();
  add_experts();
  add_resolve();
  add_rows();
}

int run(int argc, char** argv) {
  std::vector<char*> left = options_left(argc, argv);
  int count = static_cast<int>(left.size()) - 1;
  benchmark::Initialize(&count, left.data());
  if (benchmark::ReportUnrecognizedArguments(count, left.data())) return 64;
  if (device_count() == 0) {
    std::fprintf(stderr, "no CUDA device here: nothing is measured\n");
    return 0;
  }
  measure_machine();
  add_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  release_host_store();
  if (failures() > 0) std::fprintf(stderr, "%d benchmarks failed\n", failures());
  return failures() > 0 ? 1 : 0;
}

}  // namespace
}  // namespace ess::ESS_CUDA::bench

int main(int argc, char** argv) try {
  return ess::ESS_CUDA::bench::run(argc, argv);
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 64;
}
