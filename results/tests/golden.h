// Text that is compared with a file in results/tests/golden. With ESSBENCH_UPDATE_GOLDEN=1 in the environment
// the file is written instead, to be read and committed.
#pragma once

#include <string>

namespace results::testing {

void expect_golden(const std::string& text, const std::string& name);

}  // namespace results::testing
