#include "cli/local/action.h"

#include <signal.h>

#include <utility>

#include "base/text.h"
#include "cli/local/container.h"
#include "http/simple_client.h"

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

// A connection that can be made is a success.
class Connection final : public ActionBase {
 public:
  Connection(io::Loop& loop, const Address& address, Duration timeout, ActionDone done)
      : ActionBase(loop, timeout, std::move(done)) {
    connecting_ = loop.connect(address, {timeout, 0}, [this](Result<std::unique_ptr<io::Stream>> got) {
      finish(got ? Status() : fail(got.error()));
    });
  }

 private:
  std::unique_ptr<io::Connecting> connecting_;
};

class HttpGet final : public ActionBase {
 public:
  HttpGet(io::Loop& loop, const Address& address, http::FetchRequest request, Duration timeout,
          ActionDone done)
      : ActionBase(loop, timeout, std::move(done)) {
    fetch_ = http::fetch(
        loop,
        [&loop, address, timeout](Function<void(Result<std::unique_ptr<io::Stream>>)> connected) {
          return loop.connect(address, {timeout, 0}, std::move(connected));
        },
        std::move(request), [this](Result<http::FetchReply> reply) { fetched(reply); });
  }

 private:
  void fetched(const Result<http::FetchReply>& reply) {
    if (!reply) return finish(fail(reply.error()));
    const int status = reply->head.status;
    finish(status >= 200 && status < 400 ? Status() : fail(Code::refused, str_cat("HTTP status ", status)));
  }

  std::unique_ptr<http::Fetch> fetch_;
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

http::FetchRequest http_request(const kube::Action& action, const Address& address, Duration timeout) {
  http::FetchRequest request;
  request.timeout = timeout;
  request.head.method = "GET";
  request.head.target = action.path.empty() ? "/" : action.path;
  request.head.authority = address.to_string();
  request.head.headers.add("user-agent", "kube-probe/weft-local");
  for (const auto& [name, value] : action.headers) {
    if (equals_ignore_case(name, "host")) {
      request.head.authority = value;
    } else {
      request.head.headers.set(name, value);
    }
  }
  return request;
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
  if (action.kind == Kind::grpc) return impossible("weft local does not carry out gRPC probes");
  if (action.https) return impossible("weft local does not carry out HTTPS probes");
  const std::optional<std::uint16_t> port = kube::resolve_port(action.port, place.spec);
  if (!port) return impossible(str_cat("no container port is named ", printable(action.port.name)));
  Address address{place.pod, *port};
  if (!action.host.empty()) {
    const Result<IpAddress> host = IpAddress::parse(action.host);
    if (!host) return impossible(str_cat("host ", printable(action.host), " is not an address"));
    address.ip = *host;
  }
  if (action.kind == Kind::tcp_socket) {
    return std::make_unique<Connection>(loop, address, timeout, std::move(done));
  }
  return std::make_unique<HttpGet>(loop, address, http_request(action, address, timeout), timeout,
                                   std::move(done));
}

}  // namespace weft::local
