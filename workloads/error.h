// What is wrong with something that a user wrote, said where he wrote it.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace workloads {

struct spec_error {
  std::string path;  // in the document: "link.gather_gb_per_s"; empty where no key is concerned
  int line = 0;      // in `file`, from 1; 0 where there is no line (an option, a file that cannot be read)
  std::string what;
  std::string hint = {};  // what to write instead; may be empty
  std::string file = {};  // as the user named it; "--set" for an option of the command line
};

// "quick.json:12: unknown key 'link.gather_gbps'; did you mean 'link.gather_gb_per_s'?"
[[nodiscard]] std::string to_string(const spec_error& error);

template <typename T>
using result = tl::expected<T, spec_error>;

}  // namespace workloads
