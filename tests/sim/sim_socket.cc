#include "tests/sim/sim_socket.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "tests/sim/sim_stream.h"

namespace weft::sim {
namespace {

using Done = Function<void(Result<std::unique_ptr<io::Stream>>)>;

}  // namespace

SimListener::SimListener(SimLoop& loop, const Address& local, const io::ListenOptions& options,
                         std::string unix_path, Accepted accepted)
    : loop_(loop),
      local_(local),
      options_(options),
      unix_path_(std::move(unix_path)),
      accepted_(std::make_shared<Accepted>(std::move(accepted))) {
  if (unix_path_.empty()) {
    loop_.network().listeners_.push_back(this);
  } else {
    loop_.network().unix_listeners_[{loop_.host_, unix_path_}] = this;
  }
}

SimListener::~SimListener() {
  std::erase(loop_.network().listeners_, this);
  if (!unix_path_.empty()) loop_.network().unix_listeners_.erase({loop_.host_, unix_path_});
}

bool SimListener::takes(const Address& to) const {
  if (local_.port != to.port) return false;
  if (!local_.ip.is_unspecified()) return local_.ip == to.ip;
  return local_.ip.is_v4() == to.ip.is_v4() || (local_.ip.is_v6() && !options_.only_v6);
}

Result<std::unique_ptr<io::Listener>> SimListener::open(SimLoop& loop, const Address& address,
                                                        const io::ListenOptions& options, Accepted accepted) {
  SimNetwork& net = loop.network();
  Address local = address;
  if (local.port == 0) local.port = net.next_port();
  for (const SimListener* other : net.listeners_) {
    if (other->loop_.host_ != loop.host_ || other->local_ != local) continue;
    if (options.reuse_port && other->options_.reuse_port) continue;
    return fail(Code::exists, str_cat("listen on ", local.to_string(), ": address already in use"));
  }
  return std::make_unique<SimListener>(loop, local, options, "", std::move(accepted));
}

Result<std::unique_ptr<io::Listener>> SimListener::open_unix(SimLoop& loop, const std::string& path,
                                                             Accepted accepted) {
  if (loop.network().unix_listeners_.contains({loop.host_, path})) {
    return fail(Code::exists, str_cat("listen on ", path, ": somebody listens there already"));
  }
  return std::make_unique<SimListener>(loop, Address{}, io::ListenOptions{}, path, std::move(accepted));
}

void SimListener::accept(std::unique_ptr<io::Stream> stream) {
  const auto accepted = accepted_;  // the callback may destroy this listener
  (*accepted)(std::move(stream));
}

class SimConnecting final : public io::Connecting {
 public:
  SimConnecting(SimLoop& loop, std::string target, Done done)
      : loop_(loop), net_(loop.network()), target_(str_cat("connect ", target)), done_(std::move(done)) {}

  void start(const Address& to, const io::ConnectOptions& options) {
    asked_ = to;
    const auto redirected = net_.redirect_ ? net_.redirect_(loop_, to, options) : std::nullopt;
    to_ = redirected.value_or(to);
    redirected_ = redirected.has_value();
    timer_ = loop_.make_timer([this, limit = options.timeout] {
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
      finish(fail(Code::timeout, str_cat(target_, ": no answer within ", ms, " ms")));
    });
    timer_->start(options.timeout);
    const SimLoop* const owner = net_.owner_of(loop_, to_.ip);
    if (!owner || net_.is_down(*owner) || net_.is_down(loop_)) return;  // nobody answers
    SimListener* const listener = net_.find_listener(loop_, to_);
    if (!listener || net_.chance(net_.options_.refuse_chance)) {
      fail_after(net_.random_delay() * 2, {Code::refused, str_cat(target_, ": connection refused")});
      return;
    }
    net_.schedule(listener->loop(), net_.random_delay(), anchor_.guard([this] { reach(); }));
  }

  void start_unix(const std::string& path) {
    const auto found = net_.unix_listeners_.find({loop_.host_, path});
    if (found == net_.unix_listeners_.end()) {
      fail_after(Duration::zero(), {Code::not_found, str_cat(target_, ": no such file or directory")});
      return;
    }
    open(*found->second, Address{}, Address{});
  }

 private:
  // The SYN arrives, in a turn of the listener's loop.
  void reach() {
    SimListener* const listener = net_.find_listener(loop_, to_);
    if (!listener) {
      fail_after(net_.random_delay(), {Code::refused, str_cat(target_, ": connection refused")});
      return;
    }
    open(*listener, net_.source_address(loop_, to_.ip), to_);
  }

  void open(SimListener& listener, const Address& local, const Address& peer) {
    auto connection = std::make_shared<SimConnection>(net_);
    std::erase_if(net_.connections_, [](const auto& weak) { return weak.expired(); });
    net_.connections_.push_back(connection);
    SimEnd& near = connection->ends[0];
    SimEnd& far = connection->ends[1];
    near.loop = &loop_;
    near.local = local;
    near.peer = redirected_ ? asked_ : peer;  // connection tracking hides where it really went
    far.loop = &listener.loop();
    far.local = peer;
    far.peer = local;
    if (redirected_) far.original_destination = asked_;
    near_ = std::make_unique<SimStream>(connection, near);
    net_.schedule(loop_, net_.random_delay(),
                  anchor_.guard([this] { finish(Result<std::unique_ptr<io::Stream>>(std::move(near_))); }));
    net_.schedule(
        listener.loop(), Duration::zero(),
        listener.anchor().guard([&listener, stream = std::make_unique<SimStream>(connection, far)]() mutable {
          listener.accept(std::move(stream));
        }));
  }

  void fail_after(Duration delay, Error error) {
    net_.schedule(loop_, delay, anchor_.guard([this, error = std::move(error)]() mutable {
      finish(fail(std::move(error)));
    }));
  }

  // The callback may destroy this object.
  void finish(Result<std::unique_ptr<io::Stream>> result) {
    if (timer_) timer_->stop();
    anchor_.drop();
    const auto done = std::move(done_);
    done(std::move(result));
  }

  SimLoop& loop_;
  SimNetwork& net_;
  std::string target_;
  Done done_;
  Address asked_;
  Address to_;
  bool redirected_ = false;
  std::unique_ptr<io::Timer> timer_;
  std::unique_ptr<SimStream> near_;
  Anchor anchor_;
};

std::unique_ptr<io::Connecting> sim_connect(SimLoop& loop, const Address& address,
                                            const io::ConnectOptions& options, Done done) {
  auto connecting = std::make_unique<SimConnecting>(loop, address.to_string(), std::move(done));
  connecting->start(address, options);
  return connecting;
}

std::unique_ptr<io::Connecting> sim_connect_unix(SimLoop& loop, const std::string& path, Done done) {
  auto connecting = std::make_unique<SimConnecting>(loop, path, std::move(done));
  connecting->start_unix(path);
  return connecting;
}

}  // namespace weft::sim
