#include "cli/local/container_runner.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "cli/local/container.h"

namespace weft::local {

namespace {
// As a kubelet: at once, then after 10 s, doubling to 5 min; forgotten after 10 min of running.
constexpr auto backoff_first = std::chrono::seconds(10);
constexpr auto backoff_longest = std::chrono::minutes(5);
constexpr auto backoff_forgotten = std::chrono::minutes(10);
// The grace period, which kills, ends a hook that hangs.
constexpr auto hook_timeout = std::chrono::hours(1);
}  // namespace

ContainerRunner::ContainerRunner(ContainerPlace place, const kube::Container& container, ContainerSpec spec,
                                 std::string log_path, Restart restart, Changed changed)
    : place_(place),
      container_(container),
      spec_(std::move(spec)),
      log_path_(std::move(log_path)),
      restart_(restart),
      changed_(std::move(changed)),
      restart_timer_(place.loop.make_timer([this] { start(); })) {}

void ContainerRunner::open_log() {
  if (log_) return;
  log_ = UniqueFd(::open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

void ContainerRunner::problem(std::string text) {
  last_problem_ = std::move(text);
  open_log();
  const std::string line = str_cat("weft local: ", last_problem_, "\n");
  if (log_) (void)!::write(log_.get(), line.data(), line.size());
}

void ContainerRunner::start() {
  open_log();
  const Result<UniqueFd> text = memory_file(to_json(spec_));
  SpawnOptions options;
  options.argv = {"/proc/self/exe", container_verb};
  options.stdout_fd = options.stderr_fd = log_.get();
  options.new_pid_namespace = true;
  Result<pid_t> pid = fail(Code::io, "out of memory");
  if (text) {
    options.pass_fds = {text->get(), place_.network_fd};
    pid = place_.reaper.start(options, anchor_.guard([this](int status) { ended(status); }));
  }
  if (!pid) {
    problem(pid.error().message);
    state_ = State::backing_off;
    exit_code_ = 126;
    plan_restart();
    return changed_();
  }
  pid_ = *pid;
  state_ = State::running;
  started_at_ = place_.loop.now();
  start_probes();
  changed_();
}

ActionPlace ContainerRunner::action_place() const {
  return {place_.address, place_.pod.spec, spec_, pid_, log_.get()};
}

std::unique_ptr<Prober> ContainerRunner::make_prober(const std::optional<kube::Probe>& probe,
                                                     bool good_at_first, Prober::Changed changed) {
  if (!probe) return nullptr;
  return std::make_unique<Prober>(
      place_.loop, *probe, good_at_first,
      [this](const kube::Action& action, Duration timeout, ActionDone done) {
        return run_action(place_.loop, place_.reaper, action, action_place(), timeout, std::move(done));
      },
      std::move(changed));
}

void ContainerRunner::start_probes() {
  const auto start_others = [this] {
    readiness_ = make_prober(container_.readiness_probe, false, [this](bool good, const Error* why) {
      if (!good && why != nullptr) problem(str_cat("readiness probe failed: ", why->message));
      changed_();
    });
    liveness_ = make_prober(container_.liveness_probe, true, [this](bool, const Error* why) {
      problem(str_cat("liveness probe failed, killed: ", why != nullptr ? why->message : ""));
      kill();
    });
  };
  startup_ = make_prober(container_.startup_probe, false, [this, start_others](bool good, const Error*) {
    if (good) start_others();
    changed_();
  });
  if (startup_ == nullptr) start_others();
}

bool ContainerRunner::started() const {
  return state_ == State::running && (startup_ == nullptr || startup_->good());
}

bool ContainerRunner::ready() const {
  return started() && !stopping_ && (readiness_ == nullptr || readiness_->good());
}

std::string ContainerRunner::failing_probe() const {
  if (state_ != State::running) return {};
  for (const auto& [prober, name] :
       {std::pair{startup_.get(), "startup"}, std::pair{readiness_.get(), "readiness"}}) {
    if (prober == nullptr || prober->good() || prober->last_failure().empty()) continue;
    return str_cat(name, " probe: ", prober->last_failure());
  }
  return {};
}

void ContainerRunner::ended(int wait_status) {
  pid_ = 0;
  exit_code_ = exit_code_of(wait_status);
  startup_.reset();
  readiness_.reset();
  liveness_.reset();
  hook_.reset();
  if (preparing_stop_) hook_done_ = true;
  const bool again = !stopping_ && !preparing_stop_ &&
                     (restart_ == Restart::always || (restart_ == Restart::on_failure && exit_code_ != 0));
  state_ = again ? State::backing_off : State::ended;
  if (again) {
    problem(str_cat("ended with ", exit_code_, "; it is started again"));
    log::warning("container ended, and is started again", {{"pod", place_.pod.meta.name},
                                                           {"container", container_.name},
                                                           {"exit_code", std::to_string(exit_code_)}});
    plan_restart();
  }
  changed_();
}

void ContainerRunner::plan_restart() {
  if (place_.loop.now() - started_at_ >= backoff_forgotten) next_backoff_ = Duration(0);
  restart_timer_->start(next_backoff_);
  ++restarts_;
  next_backoff_ = std::clamp<Duration>(next_backoff_ * 2, backoff_first, backoff_longest);
}

void ContainerRunner::prepare_stop() {
  if (preparing_stop_) return;
  preparing_stop_ = true;
  liveness_.reset();
  if (!container_.pre_stop || state_ != State::running) {
    hook_done_ = true;
    return;
  }
  hook_ = run_action(place_.loop, place_.reaper, *container_.pre_stop, action_place(), hook_timeout,
                     [this](const Status& status) {
                       hook_.reset();
                       hook_done_ = true;
                       if (!status) problem(str_cat("preStop hook failed: ", status.error().message));
                       if (stopping_) send_term();
                     });
}

void ContainerRunner::stop() {
  if (stopping_) return;
  prepare_stop();
  stopping_ = true;
  if (hook_done_) send_term();
}

void ContainerRunner::send_term() {
  restart_timer_->stop();
  if (state_ == State::running) {
    ::kill(pid_, SIGTERM);
  } else if (state_ != State::ended) {
    state_ = State::ended;
    changed_();
  }
}

void ContainerRunner::kill() {
  restart_timer_->stop();
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

}  // namespace weft::local
