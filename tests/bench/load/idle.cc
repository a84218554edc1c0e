#include "tests/bench/load/idle.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/text.h"
#include "tests/bench/load/clock.h"
#include "tests/bench/load/failures.h"
#include "tests/bench/net/outlet.h"
#include "tests/bench/net/poller.h"
#include "tests/bench/net/sockets.h"

namespace weft::bench {
namespace {

// Handshakes at a time: enough to keep both sides busy, few enough for any backlog.
constexpr unsigned opening_max = 256;
// For standard streams, epoll and the like.
constexpr std::size_t other_descriptors = 16;

class Idle;

class Held final : Pollable {
 public:
  Held(Idle& idle, Descriptor socket) : idle_(idle), socket_(std::move(socket)) {}

  bool start();
  bool alive() const { return state_ == State::idle; }
  // Sends one byte, which must come back.
  void ask();

 private:
  enum class State : std::uint8_t { connecting, asking, idle, dead };

  void ready(std::uint32_t events) override;
  void listen_to_echo();
  void die(const std::string& what);

  Idle& idle_;
  Descriptor socket_;
  State state_ = State::connecting;
};

// Standard input, as a flag that it has ended.
class Input final : Pollable {
 public:
  explicit Input(Poller& poller) {
    // epoll refuses files and /dev/null: there is nothing to wait for then.
    ended_ = !poller.add(STDIN_FILENO, EPOLLIN | EPOLLRDHUP, *this);
  }
  bool ended() const { return ended_; }

 private:
  void ready(std::uint32_t) override {
    std::array<char, 256> ignored;
    ended_ = read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0;
  }

  bool ended_ = false;
};

class Idle {
 public:
  explicit Idle(const IdleOptions& options) : options_(options), limit_(raise_descriptor_limit()) {}

  int run();

  Poller poller;
  Failures failures{"idle"};
  unsigned waiting = 0;  // for an echo
  Clock::time_point progress = Clock::now();

 private:
  void open_all();
  void open_one();
  void hold();
  void ask_all();
  bool stalled(const char* what);
  std::size_t count_alive() const;

  const IdleOptions& options_;
  const std::size_t limit_;
  std::vector<std::unique_ptr<Held>> held_;
  unsigned started_ = 0;
};

bool Held::start() {
  ++idle_.waiting;
  if (const Status added = idle_.poller.add(socket_.get(), stream_events, *this); !added) {
    die(added.error().message);
    return false;
  }
  return true;
}

void Held::ask() {
  state_ = State::asking;
  ++idle_.waiting;
  if (send_some(socket_.get(), "E") != 1) die("the connection is broken");
}

void Held::ready(std::uint32_t events) {
  switch (state_) {
    case State::connecting: {
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
      if (const Status outcome = connect_outcome(socket_.get()); !outcome)
        return die(outcome.error().message);
      state_ = State::asking;
      if (send_some(socket_.get(), "E") != 1) die("the connection broke at once");
      return;
    }
    case State::asking:
      return listen_to_echo();
    case State::idle:
      if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        ++idle_.waiting;  // as die() expects
        die("closed while it was held");
      }
      return;
    case State::dead:
      return;
  }
}

void Held::listen_to_echo() {
  char byte = 0;
  const ssize_t received = recv(socket_.get(), &byte, 1, 0);
  if (received < 0 && errno == EAGAIN) return;
  if (received < 0) return die(system_error("receive").message);
  if (received == 0) return die("closed without an echo");
  if (byte != 'E') return die("the echo is another byte");
  state_ = State::idle;
  --idle_.waiting;
  idle_.progress = Clock::now();
}

void Held::die(const std::string& what) {
  idle_.failures.add(what);
  --idle_.waiting;
  state_ = State::dead;
  socket_.close();
}

void Idle::open_one() {
  std::optional<IpAddress> from;
  if (!options_.from.empty()) from = options_.from[started_ % options_.from.size()];
  ++started_;
  auto socket = start_connect(options_.to, from);
  if (!socket) return failures.add(socket.error().message);
  held_.push_back(std::make_unique<Held>(*this, *std::move(socket)));
  held_.back()->start();
}

bool Idle::stalled(const char* what) {
  if (waiting == 0 || seconds_since(progress) < options_.timeout_seconds) return false;
  failures.add(str_cat(waiting, " connections hang: no progress ", what));
  return true;
}

void Idle::open_all() {
  const auto start = Clock::now();
  while (started_ < options_.connections || waiting > 0) {
    double due = options_.connections;
    if (options_.per_second > 0) due = std::min(due, 1 + seconds_since(start) * options_.per_second);
    // With nobody waiting there was nothing to make progress on.
    if (waiting == 0) progress = Clock::now();
    while (started_ < due && waiting < opening_max) open_one();
    poller.turn(options_.per_second > 0 ? milliseconds(1) : tick);
    if (stalled("while opening")) return;
  }
}

void Idle::hold() {
  std::printf("{\"open\":%zu,\"errors\":%" PRIu64 "}\n", count_alive(), failures.count());
  std::fflush(stdout);
  const Input input(poller);
  while (!input.ended()) poller.turn();
}

void Idle::ask_all() {
  progress = Clock::now();
  for (const auto& connection : held_) {
    if (connection->alive()) connection->ask();
    while (waiting >= opening_max) {
      poller.turn(tick);
      if (stalled("while asking again")) return;
    }
  }
  while (waiting > 0) {
    poller.turn(tick);
    if (stalled("while asking again")) return;
  }
}

std::size_t Idle::count_alive() const {
  return static_cast<std::size_t>(
      std::count_if(held_.begin(), held_.end(), [](const auto& connection) { return connection->alive(); }));
}

int Idle::run() {
  if (options_.connections + other_descriptors > limit_) {
    std::fprintf(stderr, "idle: %u connections need more descriptors than the limit of %zu (ulimit -n)\n",
                 options_.connections, limit_);
    return 1;
  }
  open_all();
  hold();
  // Those that hung while they were opened are dead already, and told of.
  waiting = 0;
  std::erase_if(held_, [](const auto& connection) { return !connection->alive(); });
  ask_all();
  std::printf("{\"alive\":%zu,\"errors\":%" PRIu64 "}\n", count_alive(), failures.count());
  return failures.exit_code();
}

}  // namespace

int run_idle(const IdleOptions& options) { return Idle(options).run(); }

}  // namespace weft::bench
