// The CUDA device, on a GPU and on the stand-in, is held to the bounds of the CPU device.
#include <fmt/format.h>

#include "harness/accuracy/accuracy.h"
#include "harness/accuracy/tests/fixture.h"

namespace harness {
namespace {

using ess::overlap_kind;
using ess::test::tested_device;

struct cuda_case {
  std::string name;
  scenario what;
};

void PrintTo(const cuda_case& c, std::ostream* out) { *out << c.name; }

std::vector<cuda_case> cases() {
  std::vector<cuda_case> out;
  for (const tested_device on : {tested_device::cuda_emulated, tested_device::cuda}) {
    const auto add = [&](std::string name, scenario what) {
      what.on = on;
      what.prompt = on == tested_device::cuda ? what.prompt : std::min(what.prompt, 150);
      what.options = {.steps = 2, .requests = 2, .layers = 2, .seed = 1};
      out.push_back({fmt::format("{}_{}", name_of(on), name), what});
    };
    for (const auto system : ess::system_names()) {
      add(std::string(system), {.system = system});
      add(fmt::format("{}_experts", system), {.model = "tiny_moe", .system = system});
      add(fmt::format("{}_mtp", system), {.system = system, .query_tokens = 3, .mean_kept = 1.5});
    }
    for (const overlap_kind overlap : ess::all_overlaps)
      add(fmt::format("overlap_{}", to_string(overlap)),
          {.overlap = overlap, .query_tokens = 2, .mean_kept = 1.5});
    add("few_rows", {.overlap = overlap_kind::da, .ess = {.pool_rows = 20}});
    add("clock", {.ess = {.sparse_ratio = 0.25, .policy = ess::pool_kind::clock}});
    add("wide_pitch", {.pitch = 704});
    add("short_context", {.prompt = 25});
  }
  return out;
}

class cuda_accuracy : public testing::TestWithParam<cuda_case> {};

TEST_P(cuda_accuracy, is_that_of_the_cpu_device) {
  const scenario& what = GetParam().what;
  if (!is_here(what.on)) GTEST_SKIP() << "no " << name_of(what.on) << " device here";
  const accuracy_report report = checked_batch(what).check();
  EXPECT_TRUE(report.ok) << fmt::format("{}", fmt::join(report.failures, "\n  "));
  for (const auto& [figure, value] : report.figures) RecordProperty(figure, fmt::format("{:.3g}", value));
}

INSTANTIATE_TEST_SUITE_P(cases, cuda_accuracy, testing::ValuesIn(cases()),
                         [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace harness
