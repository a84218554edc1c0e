#include "http/grpc_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "http/grpc_client_call.h"

namespace weft::http {
namespace {

class UnaryEvents final : public GrpcCallEvents {
 public:
  explicit UnaryEvents(std::string where, Function<void(Result<GrpcReply>)> done)
      : where_(std::move(where)), done_(std::move(done)) {}

  void call_opened(const codec::Headers& metadata) override { reply_.metadata = metadata; }
  void call_message(std::string_view bytes) override {
    ++messages_;
    if (messages_ == 1) reply_.message = bytes;
  }
  void call_drained() override {}
  void call_over(const Result<codec::GrpcStatus>& how, const codec::Headers& trailers) override {
    if (!how) {
      done_(fail(how.error()));
      return;
    }
    if (how->ok() && messages_ != 1) {
      done_(
          fail(Code::invalid, str_cat(where_, ": a unary answer has one message, and ", messages_, " came")));
      return;
    }
    reply_.status = *how;
    if (!how->ok()) reply_.message.clear();
    for (const codec::Header& field : trailers.fields()) reply_.metadata.add(field.name, field.value);
    done_(std::move(reply_));
  }

 private:
  const std::string where_;
  const Function<void(Result<GrpcReply>)> done_;
  GrpcReply reply_;
  std::size_t messages_ = 0;
};

class StreamEvents final : public GrpcCallEvents {
 public:
  explicit StreamEvents(GrpcClientStreamHandler& handler) : handler_(handler) {}

  void call_opened(const codec::Headers&) override { handler_.grpc_opened(); }
  void call_message(std::string_view bytes) override { handler_.grpc_message(bytes); }
  void call_drained() override { handler_.grpc_drained(); }
  void call_over(const Result<codec::GrpcStatus>& how, const codec::Headers&) override {
    handler_.grpc_closed(how);
  }

 private:
  GrpcClientStreamHandler& handler_;
};

class UnaryHandle final : public GrpcCall {
 public:
  explicit UnaryHandle(std::shared_ptr<GrpcClientCall> call) : call_(std::move(call)) {}
  ~UnaryHandle() override { call_->cancel(); }

 private:
  std::shared_ptr<GrpcClientCall> call_;
};

class StreamHandle final : public GrpcClientStream {
 public:
  explicit StreamHandle(std::shared_ptr<GrpcClientCall> call) : call_(std::move(call)) {}
  ~StreamHandle() override { call_->cancel(); }
  void send(std::string_view message) override { call_->send(message); }
  bool writable() const override { return call_->writable(); }
  void half_close() override { call_->half_close(); }
  void pause() override { call_->pause(); }
  void resume() override { call_->resume(); }

 private:
  std::shared_ptr<GrpcClientCall> call_;
};

}  // namespace

// The channel's state machine: idle → connecting → ready → (lost) idle, or connecting → backing_off → …
class GrpcChannelCore final : public GrpcClientConnection::Owner {
 public:
  using State = GrpcChannel::State;

  GrpcChannelCore(io::Loop& loop, Random& random, GrpcChannelOptions options, GrpcChannel::Connect connect,
                  GrpcChannel::StateChanged state_changed)
      : loop_(loop),
        random_(random),
        options_(std::move(options)),
        connect_(std::move(connect)),
        state_changed_(std::make_shared<const GrpcChannel::StateChanged>(std::move(state_changed))),
        backoff_(options_.backoff_first, options_.backoff_longest),
        keepalive_interval_(options_.keepalive_interval) {
    timer_ = loop.make_timer(anchor_.guard([this] { timer_fired(); }));
  }

  ~GrpcChannelCore() {
    for (const auto& call : std::exchange(waiting_, {})) call->abandon();
    if (current_) leaving_.push_back(std::move(current_));
    for (auto& connection : leaving_) {
      connection->drop();
      // One of them may be what is calling.
      if (connection->busy()) loop_.delete_later(std::move(connection));
    }
  }

  io::Loop& loop() { return loop_; }
  const GrpcChannelOptions& options() const { return options_; }
  State state() const { return state_; }

  void begin(std::shared_ptr<GrpcClientCall> call) {
    if (current_) {
      call->start(*current_);
      return;
    }
    std::erase_if(waiting_, [](const auto& waiting) { return waiting->over(); });
    waiting_.push_back(std::move(call));
    if (state_ == State::idle) connect();
  }

  void renew_connection() {
    if (!current_) return;
    current_->shut_down();
    leaving_.push_back(std::move(current_));
    set_state(State::idle, nullptr);
  }

 private:
  void set_state(State state, const Error* error) {
    state_ = state;
    if (!*state_changed_) return;
    std::optional<Error> why;
    if (error != nullptr) why = error->in(options_.target);
    loop_.defer(anchor_.guard(
        [tell = state_changed_, state, why = std::move(why)] { (*tell)(state, why ? &*why : nullptr); }));
  }

  void connect() {
    set_state(State::connecting, nullptr);
    timer_->start(options_.connect_timeout);
    attempt_ = connect_(anchor_.guard([this, number = ++attempts_](Result<std::unique_ptr<io::Stream>> made) {
      connected(number, std::move(made));
    }));
  }

  void connected(std::uint64_t number, Result<std::unique_ptr<io::Stream>> made) {
    if (number != attempts_ || state_ != State::connecting) return;
    if (attempt_) loop_.delete_later(std::move(attempt_));
    timer_->stop();
    if (!made) {
      back_off(made.error());
      return;
    }
    current_ =
        std::make_unique<GrpcClientConnection>(loop_, std::move(*made), options_, keepalive_interval_, *this);
    set_state(State::ready, nullptr);
    for (const auto& call : std::exchange(waiting_, {})) call->start(*current_);
  }

  void back_off(const Error& error) {
    const Error why = error.in("no connection");
    set_state(State::backing_off, &why);
    timer_->start(backoff_.next(random_));
    fail_waiting(why);
  }

  // The last thing of its caller: a callback may destroy the channel, and with it this object.
  void fail_waiting(const Error& why) {
    const auto alive = anchor_.watch();
    for (const auto& call : std::exchange(waiting_, {})) {
      if (alive()) {
        call->fail_call(why);
      } else {
        call->abandon();
      }
    }
  }

  void timer_fired() {
    if (state_ == State::connecting) {
      ++attempts_;  // whatever still comes of it is late
      attempt_.reset();
      const auto milliseconds =
          std::chrono::duration_cast<std::chrono::milliseconds>(options_.connect_timeout).count();
      back_off(Error{Code::timeout, str_cat("not ready within ", milliseconds, " ms")});
    } else if (state_ == State::backing_off) {
      std::erase_if(waiting_, [](const auto& call) { return call->over(); });
      if (waiting_.empty()) {
        set_state(State::idle, nullptr);
      } else {
        connect();
      }
    }
  }

  void connection_proved() override { backoff_.reset(); }

  void connection_wants_calm() override { keepalive_interval_ *= 2; }

  void connection_leaving(GrpcClientConnection& connection, const Error* lost) override {
    if (current_.get() != &connection) return;
    leaving_.push_back(std::move(current_));
    if (lost != nullptr && !connection.proved()) {
      // It would most likely do so again, at once.
      back_off(*lost);
    } else {
      set_state(State::idle, lost);
    }
  }

  void connection_over(GrpcClientConnection& connection) override {
    const auto found = std::find_if(leaving_.begin(), leaving_.end(),
                                    [&](const auto& owned) { return owned.get() == &connection; });
    loop_.delete_later(std::move(*found));
    leaving_.erase(found);
  }

  io::Loop& loop_;
  Random& random_;
  const GrpcChannelOptions options_;
  const GrpcChannel::Connect connect_;
  const std::shared_ptr<const GrpcChannel::StateChanged>
      state_changed_;  // may destroy the channel while it runs
  Backoff backoff_;
  Duration keepalive_interval_;
  State state_ = State::idle;
  std::unique_ptr<io::Timer> timer_;  // of connecting, and of backing off
  std::unique_ptr<io::Connecting> attempt_;
  std::uint64_t attempts_ = 0;
  std::vector<std::shared_ptr<GrpcClientCall>> waiting_;
  std::unique_ptr<GrpcClientConnection> current_;
  std::vector<std::unique_ptr<GrpcClientConnection>> leaving_;
  Anchor anchor_;
};

GrpcChannel::GrpcChannel(io::Loop& loop, Random& random, GrpcChannelOptions options, Connect connect,
                         StateChanged state_changed)
    : core_(std::make_unique<GrpcChannelCore>(loop, random, std::move(options), std::move(connect),
                                              std::move(state_changed))) {}

GrpcChannel::~GrpcChannel() = default;

std::unique_ptr<GrpcCall> GrpcChannel::call(std::string_view method, const codec::Headers& metadata,
                                            std::string_view message, Duration timeout,
                                            Function<void(Result<GrpcReply>)> done) {
  auto call = std::make_shared<GrpcClientCall>(
      core_->loop(), core_->options(), std::string(method), metadata,
      std::make_unique<UnaryEvents>(str_cat(core_->options().target, ": ", method), std::move(done)));
  call->set_timeout(timeout);
  call->send(message);
  call->half_close();
  core_->begin(call);
  return std::make_unique<UnaryHandle>(std::move(call));
}

std::unique_ptr<GrpcClientStream> GrpcChannel::open(std::string_view method, const codec::Headers& metadata,
                                                    GrpcClientStreamHandler& handler,
                                                    std::optional<Duration> timeout) {
  auto call = std::make_shared<GrpcClientCall>(core_->loop(), core_->options(), std::string(method), metadata,
                                               std::make_unique<StreamEvents>(handler));
  if (timeout) call->set_timeout(*timeout);
  core_->begin(call);
  return std::make_unique<StreamHandle>(std::move(call));
}

GrpcChannel::State GrpcChannel::state() const { return core_->state(); }

void GrpcChannel::renew_connection() { core_->renew_connection(); }

}  // namespace weft::http
