#include "harness/command_line/tests/process.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void limit_files(std::uint64_t bytes) {
  if (bytes == 0) return;
  const rlimit limit{bytes, bytes};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(125);
}

[[noreturn]] void become(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                         const std::string& out, const std::string& err) {
  for (const std::string& variable : environment) {
    const std::size_t equals = variable.find('=');
    setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  }
  if (std::freopen(out.c_str(), "wb", stdout) == nullptr ||
      std::freopen(err.c_str(), "wb", stderr) == nullptr)
    _exit(126);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words.front(), words.data());
  _exit(127);
}

std::vector<pid_t> children_of(pid_t parent) {
  const std::string at = std::to_string(parent);
  std::istringstream text(content("/proc/" + at + "/task/" + at + "/children"));
  return {std::istream_iterator<pid_t>(text), {}};
}

// The process that a disturbance is for; 0 if there is none any more.
pid_t victim_of(pid_t child, int rank) {
  if (rank < 0) return child;
  const std::vector<pid_t> ranks = children_of(child);
  return static_cast<std::size_t>(rank) < ranks.size() ? ranks[static_cast<std::size_t>(rank)] : 0;
}

// mpirun itself may hang once all ranks have ended, if one was lost while they came together (Open
// MPI 4.1.4).
constexpr std::chrono::seconds launcher_patience{3};

bool has_living_children(pid_t parent) {
  for (const pid_t child : children_of(parent)) {
    const std::string stat = content("/proc/" + std::to_string(child) + "/stat");
    const std::size_t name_end = stat.rfind(')');
    if (name_end != std::string::npos && stat.compare(name_end, 3, ") Z") != 0) return true;
  }
  return false;
}

int wait_for(pid_t child, bool is_launcher) {
  int status = 0;
  auto last_alive = std::chrono::steady_clock::now();
  while (waitpid(child, &status, is_launcher ? WNOHANG : 0) == 0) {
    const auto now = std::chrono::steady_clock::now();
    if (has_living_children(child)) last_alive = now;
    if (now - last_alive > launcher_patience) kill(child, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return status;
}

finished run_command(const std::vector<std::string>& command, const std::vector<std::string>& environment,
                     const disturbance& disturbed) {
  std::string folder = (std::filesystem::temp_directory_path() / "essbench_process_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
  const std::string out = folder + "/out";
  const std::string err = folder + "/err";
  std::fflush(nullptr);  // or the child writes what is buffered here, too
  const pid_t child = fork();
  if (child == 0) {
    limit_files(disturbed.most_file_bytes);
    become(command, environment, out, err);
  }
  if (disturbed.after.count() > 0) {
    std::this_thread::sleep_for(disturbed.after);
    if (const pid_t victim = victim_of(child, disturbed.rank); victim > 0) kill(victim, disturbed.signal);
  }
  const int status = wait_for(child, disturbed.rank >= 0);
  finished result{.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                  .out = content(out),
                  .err = content(err)};
  std::filesystem::remove_all(folder);
  return result;
}

const std::vector<std::string> launcher_environment = {
    "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_rmaps_base_oversubscribe=1"};

}  // namespace

finished run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                     const disturbance& disturbed) {
  std::vector<std::string> command = {ESSBENCH_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, environment, disturbed);
}

bool has_ranks() {
  const auto library = std::filesystem::path(ESSBENCH_PROGRAM).parent_path() / "libessbench_mpi.so";
  return std::filesystem::exists(library) && run_command({"mpirun", "--version"}, {}, {}).code == 0;
}

finished run_ranks(int ranks, const std::vector<std::string>& arguments, const disturbance& disturbed) {
  std::vector<std::string> command = {"mpirun", "-n", std::to_string(ranks), ESSBENCH_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, launcher_environment, disturbed);
}

finished run_unlike_ranks(const std::vector<std::vector<std::string>>& arguments) {
  std::vector<std::string> command = {"mpirun"};
  for (const auto& of_rank : arguments) {
    if (command.size() > 1) command.emplace_back(":");
    command.insert(command.end(), {"-n", "1", ESSBENCH_PROGRAM});
    command.insert(command.end(), of_rank.begin(), of_rank.end());
  }
  return run_command(command, launcher_environment, {});
}
