// ESSBENCH_SIMD=AVX2 measures what a machine with no more than that would run, the GEMM libraries included.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "ess_core/device/cpu/kernels/gemm.h"
#include "ess_core/device/cpu/kernels/simd_target.h"

namespace {

// Each library has a variable of its own; those that are set stay. (OpenBLAS reads its own before main.)
void restrict_simd(const std::string& target) {
  ess::cpu::use_simd_target(target);
  if (target != "AVX2") return;
  setenv("LIBXSMM_TARGET", "hsw", 0);
  setenv("DNNL_MAX_CPU_ISA", "AVX2", 0);
}

}  // namespace

int main(int argc, char** argv) try {
  if (const char* target = std::getenv("ESSBENCH_SIMD")) restrict_simd(target);
  benchmark::AddCustomContext("simd", ess::cpu::simd_target_name());
  benchmark::AddCustomContext("gemm", ess::cpu::gemm_kernel_name());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 64;
}
