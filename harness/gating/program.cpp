#include "harness/gating/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

extern char** environ;

namespace harness {
namespace {

constexpr std::size_t most_words = 2000;

// What can be read from a pipe's end until the other one is closed; the last of it.
std::string read_last(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > most_words) text.erase(0, text.size() - most_words);
  }
}

struct descriptor {
  int number = -1;
  ~descriptor() {
    if (number >= 0) ::close(number);
  }
};

class spawn_actions {
 public:
  spawn_actions() { ::posix_spawn_file_actions_init(&actions_); }
  spawn_actions(const spawn_actions&) = delete;
  spawn_actions& operator=(const spawn_actions&) = delete;
  ~spawn_actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  [[nodiscard]] posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

program_end run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw program_error(fmt::format("cannot start {}: {}", program.string(), std::strerror(errno)));
  const descriptor out{ends[0]};
  descriptor in{ends[1]};
  spawn_actions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), in.number, STDERR_FILENO);

  std::string name = program.string();
  std::vector<std::string> words = arguments;
  std::vector<char*> argv = {name.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int error = ::posix_spawn(&child, name.c_str(), actions.get(), nullptr, argv.data(), environ);
      error != 0)
    throw program_error(fmt::format("cannot start {}: {}", name, std::strerror(error)));
  ::close(in.number);
  in.number = -1;
  program_end end{.last_words = read_last(out.number)};
  const int status = wait_for(child);
  if (!WIFEXITED(status))
    throw program_error(fmt::format("{} was killed by signal {}", name, WTERMSIG(status)));
  end.exit_code = WEXITSTATUS(status);
  return end;
}

std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace harness
