// Where a rank of a run is: its host, its cores with their memory, and the network interfaces near them.
// Missing things are null.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "harness/environment/system_files.h"

namespace harness {

// {host_hash, cores, numa_nodes, nics: [{name, numa_node, mbit_per_s}]} of the calling process. `cores` and
// `numa_nodes` are kernel lists, like "0-3,8"; an InfiniBand device is a nic without a rate.
[[nodiscard]] nlohmann::json capture_rank_place(const system_files& files);

}  // namespace harness
