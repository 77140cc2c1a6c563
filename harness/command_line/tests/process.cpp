#include "harness/command_line/tests/process.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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

[[noreturn]] void become(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& environment, const std::string& out,
                         const std::string& err) {
  for (const std::string& variable : environment) {
    const std::size_t equals = variable.find('=');
    setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  }
  if (std::freopen(out.c_str(), "wb", stdout) == nullptr ||
      std::freopen(err.c_str(), "wb", stderr) == nullptr)
    _exit(126);
  std::string program = ESSBENCH_PROGRAM;
  std::vector<char*> words = {program.data()};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(program.c_str(), words.data());
  _exit(127);
}

}  // namespace

finished run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                     const disturbance& disturbed) {
  std::string folder = (std::filesystem::temp_directory_path() / "essbench_process_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
  const std::string out = folder + "/out";
  const std::string err = folder + "/err";
  std::fflush(nullptr);  // or the child writes what is buffered here, too
  const pid_t child = fork();
  if (child == 0) {
    limit_files(disturbed.most_file_bytes);
    become(arguments, environment, out, err);
  }
  if (disturbed.after.count() > 0) {
    std::this_thread::sleep_for(disturbed.after);
    kill(child, disturbed.signal);
  }
  int status = 0;
  waitpid(child, &status, 0);
  finished result{.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                  .out = content(out),
                  .err = content(err)};
  std::filesystem::remove_all(folder);
  return result;
}
