// What a probe or a lifecycle hook does, carried out once: a command in the container, an HTTP, TCP or
// gRPC request to the pod (http/health_probe.h), or just time passing. Lives on the loop's thread.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/address.h"
#include "base/callback.h"
#include "base/clock.h"
#include "base/result.h"
#include "cli/local/container_spec.h"
#include "cli/local/process.h"
#include "io/loop.h"
#include "kube/objects.h"

namespace weft::local {

// Where it happens.
struct ActionPlace {
  IpAddress pod;
  const kube::PodSpec& spec;       // for ports by name
  const ContainerSpec& container;  // user and environment of a command
  pid_t container_pid = 0;
  int output_fd = -1;  // what a command prints goes there
};

// An action under way. Destroying it cancels: a command is killed, the callback does not run.
class RunningAction {
 public:
  virtual ~RunningAction() = default;
};

using ActionDone = Function<void(Status)>;

// `done` runs exactly once, never inline. Errors say what came instead of success.
std::unique_ptr<RunningAction> run_action(io::Loop& loop, Reaper& reaper, const kube::Action& action,
                                          const ActionPlace& place, Duration timeout, ActionDone done);

// Starts `spec` inside the running container. Any thread.
Result<pid_t> start_inside(Reaper& reaper, pid_t container_pid, const ContainerSpec& spec, int output_fd,
                           Reaper::Exited exited);

}  // namespace weft::local
