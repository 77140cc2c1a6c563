#include "ess_core/device/cuda/emulation/source_line.h"

#include <link.h>
#include <unistd.h>

#include <cstdio>

#include "ess_core/device/cuda/emulation/block.h"

namespace ess::emulation {
namespace {

int read_base(dl_phdr_info* info, std::size_t, void* base) {
  *static_cast<std::uintptr_t*>(base) = info->dlpi_addr;
  return 1;  // the program comes first
}

std::string first_line_of(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  char line[256] = "";
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  pclose(pipe);
  return read ? line : "";
}

}  // namespace

std::string source_of(const void* program_counter) {
  std::uintptr_t base = 0;
  dl_iterate_phdr(read_base, &base);
  const std::string place = hex(reinterpret_cast<std::uintptr_t>(program_counter) - 1 - base);
  const std::string program = "/proc/" + std::to_string(getpid()) + "/exe";
  std::string line = first_line_of("addr2line -s -e " + program + " " + place + " 2>&1");
  line = line.substr(0, line.find_first_of(" \n"));
  const bool known = line.find(':') != std::string::npos && line.find('?') == std::string::npos;
  return known ? line : "program + " + place;
}

}  // namespace ess::emulation
