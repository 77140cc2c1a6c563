#include "harness/environment/rank_place.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "ess_core/locality/tests/scratch_folder.h"

namespace harness {
namespace {

class rank_place : public testing::Test {
 protected:
  void file(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    ess::write_bytes(root_ / path, text);
  }

  ess::scratch_folder root_;
};

TEST_F(rank_place, says_cores_memory_and_nics) {
  file("proc/self/status", "Name:\tessbench\nCpus_allowed_list:\t4-7\nMems_allowed_list:\t1\n");
  file("proc/sys/kernel/hostname", "box");
  file("sys/class/net/eth0/device/numa_node", "1");
  file("sys/class/net/eth0/speed", "100000");
  file("sys/class/net/lo/speed", "0");
  file("sys/class/infiniband/mlx5_0/device/numa_node", "0");
  const auto place = capture_rank_place(system_files(root_ / "."));
  EXPECT_EQ(place.at("cores"), "4-7");
  EXPECT_EQ(place.at("numa_nodes"), "1");
  EXPECT_EQ(place.at("nics"), nlohmann::json::parse(
                                  R"([{"name": "mlx5_0", "numa_node": 0, "mbit_per_s": null},
                                      {"name": "eth0", "numa_node": 1, "mbit_per_s": 100000}])"));
}

TEST_F(rank_place, what_is_missing_is_null) {
  const auto place = capture_rank_place(system_files(root_ / "."));
  EXPECT_TRUE(place.at("cores").is_null());
  EXPECT_TRUE(place.at("host_hash").is_null());
  EXPECT_TRUE(place.at("nics").empty());
}

TEST_F(rank_place, is_known_of_this_machine) {
  EXPECT_TRUE(capture_rank_place(system_files("/")).at("cores").is_string());
}

}  // namespace
}  // namespace harness
