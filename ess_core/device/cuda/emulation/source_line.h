// Which line of source a place in the program is. Internal to the stand-in.
#pragma once

#include <string>

namespace ess::emulation {

// "merge.cu:31" for where a call returns to; the bare address in the program without debug information or
// addr2line.
std::string source_of(const void* program_counter);

}  // namespace ess::emulation
