#include "results/run_claim.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "results/store_error.h"

namespace results {
namespace {

// FNV-1a, without the sign: a place in a file.
std::int64_t byte_of(std::string_view run_id) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : run_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return static_cast<std::int64_t>(hash >> 2);
}

[[noreturn]] void refuse(const std::filesystem::path& file, store_fault fault, std::string words,
                         std::string hint) {
  throw store_error({.fault = fault,
                     .file = file,
                     .doing = "work on a run",
                     .words = std::move(words),
                     .hint = std::move(hint)});
}

}  // namespace

run_claim::run_claim(const std::filesystem::path& database, std::string_view run_id)
    : file_(::open((database.string() + "-claims").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (file_ < 0) {
    const store_fault fault = errno == ENOSPC ? store_fault::full : store_fault::read_only;
    refuse(database, fault, fmt::format("no file beside it can be made: {}", std::strerror(errno)),
           std::string(hint_for(fault)));
  }
  // Of the open file, not of the process: two claims exclude each other within a process, too.
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte_of(run_id);
  lock.l_len = 1;
  if (::fcntl(file_, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES)) return;
  ::close(file_);
  refuse(database, store_fault::busy, fmt::format("another essbench is working on run {}", run_id),
         "wait for it to end, or start a new run without --resume");
}

run_claim::~run_claim() { ::close(file_); }

}  // namespace results
