// A trace file, as it is and with the checksum that belongs to its bytes: no fuzzer finds a SHA-256 by
// itself.
#include <openssl/sha.h>

#include "cmake/fuzzing/memory_file.h"
#include "ess_core/locality/trace_file.h"

namespace fuzzing {
namespace {

std::string with_its_checksum(std::string_view input) {
  std::string bytes(
      input.substr(0, input.size() - std::min<std::size_t>(input.size(), SHA256_DIGEST_LENGTH)));
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return bytes.append(reinterpret_cast<const char*>(digest), sizeof digest);
}

bool reads(std::string_view bytes) {
  const memory_file file(bytes);
  const auto header = ess::read_trace_header(file.path());
  const auto stored = ess::read_trace(file.path());
  if (!stored) {
    require(!stored.error().what.empty(), "an error has words");
    return false;
  }
  require(header && header->shape == stored->trace.shape && header->sha256 == stored->sha256,
          "the header says what is there");
  require(ess::check_ids(stored->trace).has_value(), "ids are in range and in order");
  return true;
}

}  // namespace

bool accepts(std::string_view input) {
  const bool as_it_is = reads(input);
  const bool mended = reads(with_its_checksum(input));
  require(mended || !as_it_is, "the right checksum is as good as any");
  return mended;
}

}  // namespace fuzzing
