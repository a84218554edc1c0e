#include "cli/local/action.h"

#include <signal.h>

#include <utility>

#include "base/text.h"
#include "cli/local/container.h"
#include "http/health_probe.h"

namespace weft::local {
namespace {

// What all have in common: a time-out, and one result.
class ActionBase : public RunningAction {
 public:
  ActionBase(io::Loop& loop, Duration timeout, ActionDone done)
      : loop_(loop), done_(std::move(done)), timeout_(timeout) {
    timer_ = loop.make_timer([this] {
      finish(fail(Code::timeout, str_cat("no result after ", timeout_.count() / 1'000'000, " ms")));
    });
    timer_->start(timeout);
  }

 protected:
  void finish(Status status) {
    if (finished_) return;
    finished_ = true;
    timer_->stop();
    stop();
    // Not from inside a callback of what the owner is about to destroy.
    loop_.defer(anchor_.guard([this, status = std::move(status)] { std::exchange(done_, nullptr)(status); }));
  }
  virtual void stop() {}
  io::Loop& loop_;

 private:
  ActionDone done_;
  Duration timeout_;
  bool finished_ = false;
  std::unique_ptr<io::Timer> timer_;  // dies with the action, and its callback with it
  Anchor anchor_;
};

class Command final : public ActionBase {
 public:
  Command(io::Loop& loop, Reaper& reaper, const kube::Action& action, const ActionPlace& place,
          Duration timeout, ActionDone done)
      : ActionBase(loop, timeout, std::move(done)) {
    ContainerSpec spec = place.container;
    spec.argv = action.command;
    spec.mounts.clear();
    const Result<pid_t> pid =
        start_inside(reaper, place.container_pid, spec, place.output_fd,
                     anchor_.guard([this](int status) { ended(exit_code_of(status)); }));
    if (pid) {
      pid_ = *pid;
    } else {
      loop.defer(anchor_.guard([this, error = pid.error()] { finish(fail(error)); }));
    }
  }
  ~Command() override { kill_it(); }

 private:
  void ended(int code) {
    pid_ = 0;
    if (code == 0) return finish({});
    finish(fail(Code::refused, str_cat("the command ended with ", code)));
  }
  void stop() override { kill_it(); }
  void kill_it() {
    // The process it stands for dies with it.
    if (pid_ > 0) ::kill(std::exchange(pid_, 0), SIGKILL);
  }

  pid_t pid_ = 0;
  Anchor anchor_;
};

// A request to the application, as a probe makes it.
class Request final : public ActionBase {
 public:
  // The probe's own time-out says more than ours, which comes after it.
  Request(io::Loop& loop, http::HealthProbe probe, ActionDone done)
      : ActionBase(loop, probe.timeout + std::chrono::seconds(1), std::move(done)) {
    under_way_ =
        http::run_health_probe(loop, std::move(probe), [this](const Status& status) { finish(status); });
  }

 private:
  std::unique_ptr<http::ProbeUnderWay> under_way_;
};

class Sleep final : public ActionBase {
 public:
  Sleep(io::Loop& loop, Duration sleep, Duration timeout, ActionDone done)
      : ActionBase(loop, timeout, std::move(done)), awake_(loop.make_timer([this] { finish({}); })) {
    awake_->start(sleep);
  }

 private:
  std::unique_ptr<io::Timer> awake_;
};

class Impossible final : public ActionBase {
 public:
  Impossible(io::Loop& loop, Error error, ActionDone done)
      : ActionBase(loop, std::chrono::hours(1), std::move(done)) {
    loop.defer(anchor_.guard([this, error = std::move(error)] { finish(fail(error)); }));
  }

 private:
  Anchor anchor_;
};

http::HealthProbe health_probe(const kube::Action& action, const Address& address, Duration timeout) {
  using Kind = http::HealthProbe::Kind;
  http::HealthProbe probe;
  probe.kind = action.kind == kube::Action::Kind::tcp_socket ? Kind::tcp
               : action.kind == kube::Action::Kind::grpc     ? Kind::grpc
                                                             : Kind::http;
  probe.address = address;
  probe.https = action.https;
  probe.path = action.path;
  for (const auto& [name, value] : action.headers) probe.headers.push_back({name, value});
  probe.service = action.grpc_service;
  probe.timeout = timeout;
  probe.quote_answer = true;  // of a sidecar that made a rewritten probe: why it failed
  return probe;
}

}  // namespace

Result<pid_t> start_inside(Reaper& reaper, pid_t container_pid, const ContainerSpec& spec, int output_fd,
                           Reaper::Exited exited) {
  WEFT_ASSIGN(const UniqueFd text, memory_file(to_json(spec)));
  SpawnOptions options;
  options.argv = {"/proc/self/exe", enter_verb, str_cat("/proc/", container_pid)};
  options.stdout_fd = options.stderr_fd = output_fd;
  options.pass_fds = {text.get()};
  return reaper.start(options, std::move(exited));
}

std::unique_ptr<RunningAction> run_action(io::Loop& loop, Reaper& reaper, const kube::Action& action,
                                          const ActionPlace& place, Duration timeout, ActionDone done) {
  using Kind = kube::Action::Kind;
  const auto impossible = [&loop, &done](std::string why) {
    return std::make_unique<Impossible>(loop, Error{Code::invalid, std::move(why)}, std::move(done));
  };
  if (action.kind == Kind::exec) {
    return std::make_unique<Command>(loop, reaper, action, place, timeout, std::move(done));
  }
  if (action.kind == Kind::sleep)
    return std::make_unique<Sleep>(loop, action.sleep, timeout, std::move(done));
  const std::optional<std::uint16_t> port = kube::resolve_port(action.port, place.spec);
  if (!port) return impossible(str_cat("no container port is named ", printable(action.port.name)));
  Address address{place.pod, *port};
  if (!action.host.empty()) {
    const Result<IpAddress> host = IpAddress::parse(action.host);
    if (!host) return impossible(str_cat("host ", printable(action.host), " is not an address"));
    address.ip = *host;
  }
  return std::make_unique<Request>(loop, health_probe(action, address, timeout), std::move(done));
}

}  // namespace weft::local
