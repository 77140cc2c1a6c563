#include "workloads/error.h"

#include <fmt/format.h>

namespace workloads {

std::string to_string(const spec_error& error) {
  std::string place = error.file;
  if (error.line > 0) place += fmt::format(":{}", error.line);
  if (!place.empty()) place += ": ";
  return error.hint.empty() ? place + error.what : fmt::format("{}{}; {}", place, error.what, error.hint);
}

}  // namespace workloads
