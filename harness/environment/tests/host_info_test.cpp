#include "harness/environment/host_info.h"

#include <nlohmann/json.hpp>

#include "harness/environment/tests/fake_root.h"

namespace harness {
namespace {

using nlohmann::json;

TEST(parse_meminfo, turns_kilobytes_into_bytes) {
  const json memory =
      parse_meminfo("MemTotal:       24684084 kB\nMemAvailable:     100 kB\nSwapTotal: 0 kB\n");
  EXPECT_EQ(memory["total_bytes"], 25'276'502'016);
  EXPECT_EQ(memory["available_bytes"], 102'400);
  EXPECT_EQ(memory["swap_total_bytes"], 0);
}

TEST(parse_meminfo, gives_nulls_for_what_is_not_said) {
  const json memory = parse_meminfo("MemTotal: lots\n");
  EXPECT_EQ(memory,
            (json{{"total_bytes", nullptr}, {"available_bytes", nullptr}, {"swap_total_bytes", nullptr}}));
}

TEST(parse_loadavg, reads_three_averages_or_none) {
  EXPECT_EQ(parse_loadavg("0.52 1.25 2.00 3/411 9876"),
            (json{{"1min", 0.52}, {"5min", 1.25}, {"15min", 2.0}}));
  EXPECT_EQ(parse_loadavg("0.52 1.25"), nullptr);
  EXPECT_EQ(parse_loadavg("a b c"), nullptr);
  EXPECT_EQ(parse_loadavg(""), nullptr);
}

TEST(parse_distribution, takes_the_pretty_name_with_or_without_quotes) {
  EXPECT_EQ(parse_distribution("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(parse_distribution("PRETTY_NAME=Plain\n"), "Plain");
  EXPECT_EQ(parse_distribution("ID=x\n"), nullptr);
}

TEST(host_hash, is_the_published_fnv_1a_and_not_the_name) {
  EXPECT_EQ(host_hash(""), "cbf29ce484222325");
  EXPECT_EQ(host_hash("a"), "af63dc4c8601ec8c");
  EXPECT_EQ(host_hash("foobar"), "85944171f73967e8");
}

TEST(capture_memory, knows_the_limit_of_both_control_group_versions) {
  const fake_root second;
  second.write("sys/fs/cgroup/memory.max", "1073741824\n");
  EXPECT_EQ(capture_memory(system_files(second.path()))["limit_bytes"], 1'073'741'824);
  second.write("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(capture_memory(system_files(second.path()))["limit_bytes"], nullptr);
  const fake_root first;
  first.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2048\n");
  EXPECT_EQ(capture_memory(system_files(first.path()))["limit_bytes"], 2048);
  first.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(capture_memory(system_files(first.path()))["limit_bytes"], nullptr);
}

TEST(capture_memory, counts_nodes_and_reads_the_chosen_page_policy) {
  const fake_root root;
  root.write("sys/devices/system/node/online", "0-1\n");
  root.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  const json memory = capture_memory(system_files(root.path()));
  EXPECT_EQ(memory["numa_nodes"], 2);
  EXPECT_EQ(memory["huge_pages"], "madvise");
}

TEST(capture_system, never_tells_the_host_name) {
  const fake_root root;
  root.write("proc/sys/kernel/hostname", "secret-host\n");
  root.write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  root.write("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
  const json system = capture_system(system_files(root.path()));
  EXPECT_EQ(system["kernel"], "6.1.0-18-amd64");
  EXPECT_EQ(system["clock_source"], "tsc");
  EXPECT_EQ(system["host_hash"], host_hash("secret-host"));
  EXPECT_EQ(system.dump().find("secret-host"), std::string::npos);
}

TEST(capture_system, sees_containers) {
  const fake_root docker;
  docker.write(".dockerenv", "");
  EXPECT_EQ(capture_system(system_files(docker.path()))["container"], "docker");
  const fake_root cluster;
  cluster.write("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n");
  EXPECT_EQ(capture_system(system_files(cluster.path()))["container"], "kubepods");
}

}  // namespace
}  // namespace harness
