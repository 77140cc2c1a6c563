// Profiles of hardware that the simulator runs on: files of figures and tables, each with its level of
// evidence and its source (ess_core/device/sim/hardware.h). Those that ship are in workloads/hardware.
//
//   {"name": "h200", "description": "...",
//    "cluster": {"nodes": 4, "ep": 32},
//    "figures": {"sms": {"value": 132, "level": "published", "source": "..."}, ...},
//    "tables": {"dispatch": {"level": "measured", "source": "...",
//                            "rows": [[1, 64, 27.84], [1, 128, 39.83]],
//                            "extension": {"level": "derived", "source": "...", "rows": [[2, 64, 59.03]]}}}}
//
// All figures are required. Tables may be missing: their times are then computed from the figures. A row is
// [x, y, us], or [y, us] in a table over one size (ess::sim::table_fields()). Rows of an extension are added
// to the table's; its level and source become a part of the table's source. "operations", tables by kind of
// operation, are what `essbench calibrate --ranks` has measured of one machine.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "ess_core/device/sim/hardware.h"
#include "workloads/error.h"

namespace workloads {

struct hardware_profile {
  ess::sim::hardware hardware;
  std::string sha256;  // of the file
};

// `file` is only named in errors.
[[nodiscard]] result<hardware_profile> parse_hardware(std::string_view text, std::string_view file);
[[nodiscard]] result<hardware_profile> load_hardware(const std::filesystem::path& file);

// "h200": the file of this name in the folder hardware/ of the catalogue's folders; "h200_ep32": the same on
// as many nodes as 32 GPUs need, all of them expert ranks, and the profile's name; or a path.
[[nodiscard]] result<hardware_profile> find_profile(std::string_view name_or_path);

}  // namespace workloads
