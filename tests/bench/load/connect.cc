#include "tests/bench/load/connect.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/bench/load/clock.h"
#include "tests/bench/load/failures.h"
#include "tests/bench/net/outlet.h"
#include "tests/bench/net/poller.h"
#include "tests/bench/net/sockets.h"

namespace weft::bench {
namespace {

using Latencies = std::vector<std::uint32_t>;  // in microseconds

struct Work {
  explicit Work(const ConnectOptions& connect_options) : options(connect_options) {}

  const ConnectOptions& options;
  Poller poller;
  Failures failures{"connect"};
  Latencies latencies;
  bool over = false;
};

// One connection at a time.
class Slot final : Pollable {
 public:
  explicit Slot(Work& work) : work_(work) {}

  void start();
  bool busy() const { return socket_.get() >= 0; }
  // Every tick. After an error a slot waits for this, so that a dead target is not hammered.
  void look_after() {
    if (!busy()) return start();
    if (seconds_since(started_) > work_.options.timeout_seconds) fail("time-out");
  }

 private:
  void ready(std::uint32_t events) override;
  void fail(const std::string& what);

  Work& work_;
  Descriptor socket_;
  Clock::time_point started_;
  bool asked_ = false;
};

void Slot::start() {
  if (work_.over) return;
  asked_ = false;
  started_ = Clock::now();
  auto socket = start_connect(work_.options.to);
  if (!socket) return fail(socket.error().message);
  socket_ = *std::move(socket);
  if (const Status added = work_.poller.add(socket_.get(), stream_events, *this); !added) {
    fail(added.error().message);
  }
}

void Slot::ready(std::uint32_t events) {
  if (!busy()) return;
  if (!asked_) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    if (const Status outcome = connect_outcome(socket_.get()); !outcome) return fail(outcome.error().message);
    if (send_some(socket_.get(), "E") != 1) return fail("the connection broke at once");
    asked_ = true;
    return;
  }
  char byte = 0;
  const ssize_t received = recv(socket_.get(), &byte, 1, 0);
  if (received < 0 && errno == EAGAIN) return;
  if (received < 0) return fail(system_error("receive").message);
  if (received == 0) return fail("closed without an answer");
  if (byte != 'E') return fail("the echo is another byte");
  work_.latencies.push_back(static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_).count()));
  // By a reset: an ordinary close would leave every port in TIME_WAIT for a minute, and after 28,000
  // connections there would be none left. Nothing is lost by it, for the echo has arrived.
  reset_on_close(socket_.get());
  socket_.close();
  start();
}

void Slot::fail(const std::string& what) {
  work_.failures.add(str_cat(work_.options.to.to_string(), ": ", what));
  if (busy()) reset_on_close(socket_.get());
  socket_.close();
}

std::uint32_t percentile(Latencies& latencies, double share) {
  if (latencies.empty()) return 0;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
  const auto at = latencies.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(latencies.begin(), at, latencies.end());
  return *at;
}

}  // namespace

int run_connect(const ConnectOptions& options) {
  raise_descriptor_limit();
  Work work(options);
  std::vector<std::unique_ptr<Slot>> slots;
  const auto start = Clock::now();
  for (unsigned i = 0; i < options.concurrency; ++i)
    slots.emplace_back(std::make_unique<Slot>(work))->start();
  const auto deadline = after(Seconds(options.seconds));
  auto next_look = start + tick;
  const auto turn = [&] {
    work.poller.turn(tick);
    if (Clock::now() < next_look) return;
    next_look = Clock::now() + tick;
    for (const auto& slot : slots) slot->look_after();
  };
  while (Clock::now() < deadline) turn();
  work.over = true;
  const double seconds = seconds_since(start);
  const std::size_t connections = work.latencies.size();
  // What is still on its way no longer counts, but whether and when it ends does: nothing that hangs is
  // hidden.
  while (std::any_of(slots.begin(), slots.end(), [](const auto& slot) { return slot->busy(); })) turn();
  const std::uint32_t p50 = percentile(work.latencies, 0.5), p99 = percentile(work.latencies, 0.99);
  std::printf("{\"connections\":%zu,\"errors\":%" PRIu64 ",\"seconds\":%.6f,\"p50_us\":%" PRIu32
              ",\"p99_us\":%" PRIu32 "}\n",
              connections, work.failures.count(), seconds, p50, p99);
  return work.failures.exit_code();
}

}  // namespace weft::bench
