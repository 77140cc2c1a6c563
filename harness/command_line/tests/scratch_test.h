// A test of the program with a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "ess_core/locality/tests/scratch_folder.h"

class scratch_test : public testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string file_with(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }

  ess::scratch_folder folder_;
};
