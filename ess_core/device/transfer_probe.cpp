#include "ess_core/device/transfer_probe.h"

#include <array>

namespace ess {

std::string_view to_string(transfer_kind kind) {
  constexpr std::array<std::string_view, 7> names = {
      "copy_to_device", "copy_to_host", "copy_both", "small_copies", "gather", "scatter", "device_copy"};
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace ess
