// The verbs of `weft local`, one file each. Each takes its options and gives the process' exit code; errors
// go to standard error. cli/main.cc wires them to the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft::local {

// Which mesh, and where in it.
struct Target {
  std::string mesh = "default";        // --name
  std::string name_space = "default";  // -n
};

struct UpOptions {
  std::string mesh = "default";
  std::vector<std::string> files;   // files or folders; "-" is standard input
  std::vector<std::string> images;  // NAME=COMMAND
  bool control_plane = true;
  std::uint64_t seed = 0;
};
int up(const UpOptions& options);

struct ExecOptions {
  Target target;
  std::string pod;
  std::string container;  // empty: the application's first
  bool node = false;      // in the node itself, not in a pod
  std::vector<std::string> command;
};
int exec(const ExecOptions& options);

struct LogsOptions {
  Target target;
  std::string pod;
  std::string container;
  bool follow = false;
};
int logs(const LogsOptions& options);

struct StatusOptions {
  Target target;
  std::string output;                         // "json", or empty for people
  std::optional<std::uint32_t> wait_seconds;  // for every pod to be ready
};
int status(const StatusOptions& options);

struct AnnotateOptions {
  Target target;
  std::string object;  // KIND/NAME
  std::vector<std::string> changes;
};
int annotate(const AnnotateOptions& options);

struct ScaleOptions {
  Target target;
  std::string object;  // deployment/NAME
  std::uint32_t replicas = 1;
};
int scale(const ScaleOptions& options);

struct DeletePodOptions {
  Target target;
  std::string pod;
  std::optional<std::uint32_t> grace_seconds;
};
int delete_pod(const DeletePodOptions& options);

struct ApplyOptions {
  Target target;
  std::vector<std::string> files;
};
int apply(const ApplyOptions& options);

int down(const Target& target);

}  // namespace weft::local
