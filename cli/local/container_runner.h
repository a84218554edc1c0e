// One container of a pod: starts its process, starts it again after it ended (with a kubelet's back-off),
// probes it, and ends it in order: preStop hook, SIGTERM, SIGKILL. Lives on the loop's thread, owned by its
// pod.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/callback.h"
#include "cli/local/action.h"
#include "cli/local/container_spec.h"
#include "cli/local/prober.h"
#include "cli/local/process.h"
#include "io/loop.h"
#include "kube/objects.h"

namespace weft::local {

// What all containers of a pod share.
struct ContainerPlace {
  io::Loop& loop;
  Reaper& reaper;
  const kube::Pod& pod;
  IpAddress address;
  int network_fd = -1;
};

enum class Restart : std::uint8_t { always, on_failure, never };

class ContainerRunner {
 public:
  enum class State : std::uint8_t { waiting, running, backing_off, ended };
  // Runs after every change of state, started() or ready(). The runner may not be destroyed in it.
  using Changed = Function<void()>;

  ContainerRunner(ContainerPlace place, const kube::Container& container, ContainerSpec spec,
                  std::string log_path, Restart restart, Changed changed);
  ContainerRunner(const ContainerRunner&) = delete;
  ContainerRunner& operator=(const ContainerRunner&) = delete;

  void start();
  // Runs the preStop hook, once; stop() waits for it.
  void prepare_stop();
  // SIGTERM once the hook is done; the container is not started again. It has ended when state() says so.
  void stop();
  void kill();

  const kube::Container& container() const { return container_; }
  const ContainerSpec& spec() const { return spec_; }
  const std::string& log_path() const { return log_path_; }
  State state() const { return state_; }
  pid_t pid() const { return pid_; }  // of its first process; 0 when none runs
  int exit_code() const { return exit_code_; }
  unsigned restarts() const { return restarts_; }
  const std::string& last_problem() const { return last_problem_; }
  bool started() const;  // runs, and its startup probe has passed
  bool ready() const;    // started, and its readiness probe passes
  // "readiness probe: …" while that or the startup probe is what keeps a running container from being ready.
  std::string failing_probe() const;

 private:
  void ended(int wait_status);
  void plan_restart();
  void start_probes();
  std::unique_ptr<Prober> make_prober(const std::optional<kube::Probe>& probe, bool good_at_first,
                                      Prober::Changed changed);
  ActionPlace action_place() const;
  void open_log();
  void send_term();
  void problem(std::string text);

  ContainerPlace place_;
  const kube::Container& container_;
  ContainerSpec spec_;
  std::string log_path_;
  UniqueFd log_;
  Restart restart_;
  Changed changed_;
  State state_ = State::waiting;
  pid_t pid_ = 0;
  int exit_code_ = 0;
  unsigned restarts_ = 0;
  bool preparing_stop_ = false;
  bool hook_done_ = false;
  bool stopping_ = false;
  std::string last_problem_;
  Duration next_backoff_{0};
  MonotonicTime started_at_{};
  std::unique_ptr<Prober> startup_;
  std::unique_ptr<Prober> readiness_;
  std::unique_ptr<Prober> liveness_;
  std::unique_ptr<RunningAction> hook_;
  std::unique_ptr<io::Timer> restart_timer_;
  Anchor anchor_;
};

}  // namespace weft::local
