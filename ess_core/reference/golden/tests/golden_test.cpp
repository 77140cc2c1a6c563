// The reference against every golden set: those of the source tree, or of the folder that ESSBENCH_GOLDEN_DIR
// names.
#include <vector>

#include "ess_core/reference/golden/runner.h"

namespace ess::golden {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(golden, reference_agrees_with_every_set_of_the_folder) {
  const golden_place place = golden_folder();
  std::vector<std::string> sets;
  for (const set_report& report : run_folder(place.folder, reference_operations())) {
    sets.push_back(report.set);
    EXPECT_THAT(report.faults, IsEmpty()) << place.folder;
    EXPECT_THAT(report.not_compared, IsEmpty()) << report.set;
  }
  if (place.source == golden_source::environment) return;  // which may hold fewer
  EXPECT_THAT(sets, UnorderedElementsAre("number_formats", "latent_row", "yarn", "index_key",
                                         "indexer_scores", "sparse_attention", "sparse_attention_h128",
                                         "sparse_attention_split", "dsa_layer"));
}

}  // namespace
}  // namespace ess::golden
