#include "harness/environment/cpu_info.h"

#include <nlohmann/json.hpp>

#include "harness/environment/tests/fake_root.h"

namespace harness {
namespace {

using nlohmann::json;

// Two sockets of one core with two threads each.
constexpr std::string_view two_sockets = R"(processor	: 0
vendor_id	: GenuineIntel
model name	: Intel(R) Xeon(R) Platinum 8480+
microcode	: 0x2b000571
physical id	: 0
core id		: 0
flags		: fpu sse4_2 avx2 avx512f avx512_bf16 amx_tile amx_bf16 noavx2

processor	: 1
physical id	: 1
core id		: 0

processor	: 2
physical id	: 0
core id		: 0

processor	: 3
physical id	: 1
core id		: 0
)";

TEST(parse_cpuinfo, counts_cores_and_picks_the_flags_that_choose_kernels) {
  const json cpu = parse_cpuinfo(two_sockets);
  EXPECT_EQ(cpu["model"], "Intel(R) Xeon(R) Platinum 8480+");
  EXPECT_EQ(cpu["vendor"], "GenuineIntel");
  EXPECT_EQ(cpu["microcode"], "0x2b000571");
  EXPECT_EQ(cpu["sockets"], 2);
  EXPECT_EQ(cpu["physical_cores"], 2);
  EXPECT_EQ(cpu["logical_cores"], 4);
  EXPECT_EQ(cpu["flags"], (json{"amx_bf16", "amx_tile", "avx2", "avx512_bf16", "avx512f", "sse4_2"}));
  EXPECT_EQ(cpu["hypervisor"], false);
}

TEST(parse_cpuinfo, reads_arm_where_much_is_not_said) {
  const json cpu = parse_cpuinfo("processor\t: 0\nFeatures\t: fp asimd asimddp sve\nprocessor\t: 1\n");
  EXPECT_EQ(cpu["model"], nullptr);
  EXPECT_EQ(cpu["physical_cores"], nullptr);
  EXPECT_EQ(cpu["logical_cores"], 2);
  EXPECT_EQ(cpu["flags"], (json{"asimd", "asimddp", "sve"}));
}

TEST(parse_cpuinfo, sees_a_hypervisor) {
  EXPECT_EQ(parse_cpuinfo("flags : avx2 hypervisor\n")["hypervisor"], true);
}

TEST(parse_cpuinfo, gives_nulls_for_no_text) {
  const json cpu = parse_cpuinfo("");
  for (const auto& [key, value] : cpu.items()) EXPECT_EQ(value, nullptr) << key;
}

TEST(read_caches, reads_sizes_and_how_many_share_them) {
  const fake_root root;
  const std::string folder = "sys/devices/system/cpu/cpu0/cache/";
  root.write(folder + "index0/level", "1\n");
  root.write(folder + "index0/type", "Data\n");
  root.write(folder + "index0/size", "32K\n");
  root.write(folder + "index0/shared_cpu_list", "0,64\n");
  root.write(folder + "index3/level", "3\n");
  root.write(folder + "index3/size", "1G\n");
  root.write(folder + "uevent", "");
  const json caches = read_caches(system_files(root.path()));
  ASSERT_EQ(caches.size(), 2U);
  EXPECT_EQ(caches[0], (json{{"level", 1}, {"type", "Data"}, {"bytes", 32'768}, {"shared_by", 2}}));
  EXPECT_EQ(caches[1],
            (json{{"level", 3}, {"type", nullptr}, {"bytes", 1'073'741'824}, {"shared_by", nullptr}}));
}

TEST(capture_cpu, reads_power_settings_and_affinity) {
  const fake_root root;
  root.write("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3,8\n");
  root.write("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n");
  root.write("sys/devices/system/cpu/cpufreq/policy1/scaling_governor", "performance\n");
  root.write("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  root.write("sys/devices/system/cpu/smt/active", "1\n");
  root.write("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3800000\n");
  const json cpu = capture_cpu(system_files(root.path()));
  EXPECT_EQ(cpu["usable_cores"], 5);
  EXPECT_EQ(cpu["governor"], "performance");
  EXPECT_EQ(cpu["boost"], false);
  EXPECT_EQ(cpu["smt"], true);
  EXPECT_EQ(cpu["max_mhz"], 3800);
}

TEST(capture_cpu, tells_mixed_governors_and_the_other_boost_switch) {
  const fake_root root;
  root.write("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance");
  root.write("sys/devices/system/cpu/cpufreq/policy1/scaling_governor", "powersave");
  root.write("sys/devices/system/cpu/cpufreq/boost", "1");
  const json cpu = capture_cpu(system_files(root.path()));
  EXPECT_EQ(cpu["governor"], "mixed");
  EXPECT_EQ(cpu["boost"], true);
}

TEST(count_listed, counts_ranges_and_refuses_what_is_no_list) {
  EXPECT_EQ(count_listed("0"), 1);
  EXPECT_EQ(count_listed("0-127\n"), 128);
  EXPECT_EQ(count_listed("0-1,4,6-7"), 5);
  EXPECT_EQ(count_listed(""), std::nullopt);
  EXPECT_EQ(count_listed("3-1"), std::nullopt);
  EXPECT_EQ(count_listed("all"), std::nullopt);
}

}  // namespace
}  // namespace harness
