// What the ranks of a run tell each other beside the rows of experts: whether they run the same, how a part
// of the run ended everywhere, and what each measured.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "ess_core/communicator/communicator.h"
#include "ess_core/engine/decode_engine.h"
#include "results/record.h"

namespace harness {

// All ranks must have been started alike. Throws before anything ran.
class rank_mismatch : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What must be the same everywhere.
struct rank_facts {
  std::string program;  // SHA-256 of the executable
  std::string device;
  std::string workload;  // resolved, as JSON
  std::string options;   // of the command line
};
[[nodiscard]] rank_facts facts_of_this_process(std::string device, std::string workload, std::string options);
// Collective. The text names the rank, and what differs from the first one: the path, for a workload.
void check_same(ess::communicator& ranks, const rank_facts& here);

// How a part ended on one rank. ok: without trouble.
struct part_end {
  results::attempt_status status = results::attempt_status::ok;
  std::string reason;
};
// Collective: that of the first rank that was in trouble, which the reason names.
[[nodiscard]] part_end agree(ess::communicator& ranks, const part_end& here);

// Ranks that may run on the same cores of one machine, and which of them this one is. Collective.
struct core_share {
  int of = 1;
  int index = 0;
};
[[nodiscard]] core_share share_of_cores(ess::communicator& ranks);

// What one rank measured of a point, by sample.
struct rank_figures {
  std::vector<double> step_us;
  std::vector<double> exposed_us;  // of the exchange; empty where a step is only timed as a whole
  std::vector<double> late_share;
  std::vector<double> overlap;
  std::vector<ess::row_totals> rows;
  std::vector<std::int32_t> tokens;  // that all requests of the rank kept
  ess::expert_traffic experts;       // summed

  void add(const ess::step_report& step);
};
// Collective; by rank.
[[nodiscard]] std::vector<rank_figures> gather(ess::communicator& ranks, const rank_figures& here);
// Of all ranks together: rows and tokens summed, the latest link, the mean overlap, the slowest step.
[[nodiscard]] rank_figures together(const std::vector<rank_figures>& all);
// Series by rank and by expert, imbalances, the slowest rank. Nothing of one rank without experts.
void put_ranks(const std::vector<rank_figures>& all, std::int32_t expert_layers,
               results::attempt_record& out);

// The outputs of requests after the steps that are checked, as one SHA-256 by ascending request: the same for
// any number of ranks. Collective; empty on ranks other than the first.
[[nodiscard]] std::string digest_of_outputs(ess::communicator& ranks, const ess::device& device,
                                            const ess::memory_layout& layout,
                                            const std::vector<ess::request>& requests);

}  // namespace harness
