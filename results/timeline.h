// When each operation of one step ran: for a look at how transfers and compute lie over each other.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace results {

struct timeline_operation {
  std::string kind;  // "score_keys", "fetch", ...
  int layer = 0;
  int first_seat = 0;
  int seats = 0;
  std::string stream;    // "compute", "copy", "network"
  bool on_link = false;  // moves rows between the tiers
  double start_us = 0;   // since the step began
  double end_us = 0;

  friend bool operator==(const timeline_operation&, const timeline_operation&) = default;
};

// In the order of the program: operations of one stream follow each other.
using timeline = std::vector<timeline_operation>;

// Time in which the link moved rows and the compute stream ran nothing.
[[nodiscard]] double exposed_transfer_us(const timeline& of);
// Time in which the ranks exchanged rows of experts, or waited for each other, and the compute stream ran
// nothing.
[[nodiscard]] double exposed_exchange_us(const timeline& of);
// Time in which the link was busy.
[[nodiscard]] double link_busy_us(const timeline& of);
// By kind of operation, summed over layers.
[[nodiscard]] std::map<std::string, double> time_by_kind_us(const timeline& of);

}  // namespace results
