#include "ess_core/nvtx/testing/recording.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ranges>

namespace ess::nvtx {
namespace {

std::vector<std::string> split(std::string_view line, char separator) {
  std::vector<std::string> parts;
  for (auto part : std::views::split(line, separator)) parts.emplace_back(part.begin(), part.end());
  return parts;
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw recording_error(fmt::format("not a number in the NVTX recording: '{}'", text));
  }
  return value;
}

std::map<std::string, std::int64_t> parse_payload(const std::vector<std::string>& parts) {
  std::map<std::string, std::int64_t> payload;
  for (const std::string& part : parts | std::views::drop(4)) {
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) throw recording_error("no '=' in payload: " + part);
    payload[part.substr(0, equals)] = number(std::string_view(part).substr(equals + 1));
  }
  return payload;
}

// Turns events into ranges, with one stack of open ranges a thread and domain.
class range_builder {
 public:
  void add(std::string_view line) {
    const std::vector<std::string> parts = split(line, '\t');
    if (parts.size() >= 4 && parts[0] == "push") {
      push(parts);
    } else if (parts.size() == 3 && parts[0] == "pop") {
      pop(parts);
    } else {
      throw recording_error(fmt::format("cannot read this line of the NVTX recording: '{}'", line));
    }
  }

  std::vector<recorded_range> ranges;

 private:
  void push(const std::vector<std::string>& parts) {
    std::vector<int>& stack = open_[{parts[1], parts[2]}];
    ranges.push_back({.domain = parts[2],
                      .name = parts[3],
                      .thread = static_cast<int>(number(parts[1])),
                      .parent = stack.empty() ? -1 : stack.back(),
                      .payload = parse_payload(parts)});
    stack.push_back(static_cast<int>(ranges.size()) - 1);
  }

  void pop(const std::vector<std::string>& parts) {
    std::vector<int>& stack = open_[{parts[1], parts[2]}];
    if (stack.empty()) throw recording_error("a range was closed that was never opened");
    ranges[static_cast<std::size_t>(stack.back())].closed = true;
    stack.pop_back();
  }

  std::map<std::pair<std::string, std::string>, std::vector<int>> open_;
};

std::string unique_log_path() {
  std::string path = (std::filesystem::temp_directory_path() / "essbench-nvtx-XXXXXX").string();
  const int file = mkstemp(path.data());
  if (file < 0) throw recording_error("cannot create " + path);
  close(file);
  return path;
}

std::vector<std::string> recorded_environment(const std::string& log) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("NVTX_INJECTION64_PATH=") && !text.starts_with("ESSBENCH_NVTX_LOG=")) {
      variables.emplace_back(text);
    }
  }
  variables.emplace_back("NVTX_INJECTION64_PATH=" ESSBENCH_NVTX_RECORDER);
  variables.emplace_back("ESSBENCH_NVTX_LOG=" + log);
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

int run(std::vector<std::string> command, std::vector<std::string> variables) {
  pid_t child = 0;
  if (command.empty() || posix_spawn(&child, command[0].c_str(), nullptr, nullptr, pointers(command).data(),
                                     pointers(variables).data()) != 0) {
    throw recording_error(fmt::format("cannot start {}", command.empty() ? "nothing" : command[0]));
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) throw recording_error("cannot wait for " + command[0]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string read_and_remove(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove(path);
  return text;
}

}  // namespace

std::vector<recorded_range> parse_recording(std::string_view log) {
  range_builder builder;
  for (auto part : std::views::split(log, '\n')) {
    const std::string_view line(part.begin(), part.end());
    if (!line.empty()) builder.add(line);
  }
  return std::move(builder.ranges);
}

recorded_run run_recorded(const std::vector<std::string>& command) {
  if (std::string_view(ESSBENCH_NVTX_RECORDER).empty()) throw recording_error("this build has no NVTX");
  const std::string log = unique_log_path();
  const int exit_code = run(command, recorded_environment(log));
  return {.exit_code = exit_code, .ranges = parse_recording(read_and_remove(log))};
}

}  // namespace ess::nvtx
