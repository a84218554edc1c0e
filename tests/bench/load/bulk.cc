#include "tests/bench/load/bulk.h"

#include <sys/socket.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/bench/load/clock.h"
#include "tests/bench/load/failures.h"
#include "tests/bench/load/pattern.h"
#include "tests/bench/net/outlet.h"
#include "tests/bench/net/poller.h"
#include "tests/bench/net/sockets.h"

namespace weft::bench {
namespace {

constexpr std::size_t read_bytes = std::size_t{256} * 1024;
constexpr std::size_t answer_bytes_max = 64;
// So that one stream does not starve the others.
constexpr int chunks_per_turn = 16;
// More than anybody moves; a stream down is cut off when its time is over.
constexpr std::uint64_t endless = std::numeric_limits<std::int64_t>::max();
// What an origin sends.
constexpr std::uint32_t origin_seed = 1;

class Bulk;

class Stream final : Pollable {
 public:
  explicit Stream(Bulk& bulk) : bulk_(bulk) {}

  Status start();
  void time_is_over();
  void look_for_stall();
  bool ended() const { return ended_; }
  // What has arrived, by the word of who received it.
  std::uint64_t bytes() const { return bytes_; }

 private:
  void ready(std::uint32_t events) override;
  void send();
  void receive();
  void take_answer();
  void fail(const std::string& what);
  void end();

  Bulk& bulk_;
  Descriptor socket_;
  Clock::time_point progress_;
  Outlet opening_;
  std::string answer_;
  std::uint64_t sent_ = 0;
  std::uint64_t bytes_ = 0;
  bool connected_ = false;
  bool sending_ = false;
  bool ended_ = false;
};

class Bulk {
 public:
  explicit Bulk(const BulkOptions& bulk_options)
      : options(bulk_options),
        pattern(options.down ? origin_seed : options.seed),
        failures("bulk"),
        buffer(read_bytes, '\0') {}

  int run();

  const BulkOptions& options;
  Poller poller;
  const Pattern pattern;
  Failures failures;
  std::string buffer;

 private:
  bool all_ended() const;
  void wait_until(Clock::time_point deadline);

  std::vector<std::unique_ptr<Stream>> streams_;
};

Status Stream::start() {
  WEFT_ASSIGN(socket_, start_connect(bulk_.options.to));
  progress_ = Clock::now();
  return bulk_.poller.add(socket_.get(), stream_events, *this);
}

void Stream::ready(std::uint32_t events) {
  if (ended_) return;
  if (!connected_) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    if (const Status outcome = connect_outcome(socket_.get()); !outcome) return fail(outcome.error().message);
    connected_ = true;
    const BulkOptions& options = bulk_.options;
    std::string opening = options.check ? str_cat('V', options.seed, '\n') : "S";
    if (options.down) opening = str_cat('D', endless, '\n');
    if (!opening_.send(socket_.get(), opening)) return fail("the connection broke at once");
    sending_ = !options.down;
  }
  if (!opening_.flush(socket_.get())) return fail("the connection broke at once");
  if (sending_) send();
  if (!ended_ && (events & ~std::uint32_t{EPOLLOUT}) != 0) receive();
}

void Stream::send() {
  for (int count = 0; !opening_.blocked(); ++count) {
    if (count == chunks_per_turn) return bulk_.poller.change(socket_.get(), stream_events, *this);
    const std::string_view chunk = bulk_.pattern.at(sent_, Pattern::chunk_bytes_max);
    const ssize_t sent = send_some(socket_.get(), chunk);
    if (sent < 0) return fail(str_cat("broken after ", sent_, " bytes: ", system_error("send").message));
    if (sent > 0) progress_ = Clock::now();
    sent_ += static_cast<std::uint64_t>(sent);
    if (static_cast<std::size_t>(sent) < chunk.size()) return;
  }
}

// Down: the content. Up: the count.
void Stream::receive() {
  const bool down = bulk_.options.down;
  // Without a check the bytes are thrown away inside the kernel: the processor is left to those who are
  // measured.
  const int flags = down && !bulk_.options.check ? MSG_TRUNC : 0;
  for (int count = 0;; ++count) {
    if (count == chunks_per_turn) return bulk_.poller.change(socket_.get(), stream_events, *this);
    const ssize_t received = recv(socket_.get(), bulk_.buffer.data(), bulk_.buffer.size(), flags);
    if (received < 0) {
      if (errno != EAGAIN)
        fail(str_cat("broken after ", bytes_, " bytes: ", system_error("receive").message));
      return;
    }
    if (received == 0)
      return down ? fail(str_cat("ended by the origin after ", bytes_, " bytes")) : take_answer();
    progress_ = Clock::now();
    const auto size = static_cast<std::size_t>(received);
    if (!down) {
      answer_.append(bulk_.buffer, 0, size);
      if (answer_.size() > answer_bytes_max) return fail("the origin answered with more than a count");
      continue;
    }
    if (bulk_.options.check) {
      const std::size_t good = bulk_.pattern.matching(bytes_, {bulk_.buffer.data(), size});
      if (good < size) return fail(str_cat("wrong content at byte ", bytes_ + good));
    }
    bytes_ += size;
  }
}

void Stream::take_answer() {
  const auto count = parse_number<std::uint64_t>(answer_);
  if (sending_) return fail(str_cat("ended by the origin after ", sent_, " bytes, it says '", answer_, "'"));
  if (!count) return fail(str_cat("the origin answered '", answer_, "' instead of a count"));
  bytes_ = *count;
  if (*count != sent_) return fail(str_cat(sent_, " bytes were sent, ", *count, " arrived"));
  end();
}

void Stream::time_is_over() {
  if (ended_) return;
  if (!connected_) return fail("no connection until the time was over");
  if (bulk_.options.down) {
    reset_on_close(socket_.get());  // what is on its way would be reset anyway
    return end();
  }
  sending_ = false;
  progress_ = Clock::now();
  shutdown(socket_.get(), SHUT_WR);
}

void Stream::look_for_stall() {
  if (ended_ || seconds_since(progress_) < bulk_.options.timeout_seconds) return;
  fail(str_cat("no progress for ", static_cast<std::uint64_t>(bulk_.options.timeout_seconds), " s; sent ",
               sent_, " bytes, received ", bytes_));
}

void Stream::fail(const std::string& what) {
  bulk_.failures.add(str_cat(bulk_.options.to.to_string(), ": ", what));
  end();
}

void Stream::end() {
  ended_ = true;
  socket_.close();
}

bool Bulk::all_ended() const {
  for (const auto& stream : streams_) {
    if (!stream->ended()) return false;
  }
  return true;
}

void Bulk::wait_until(Clock::time_point deadline) {
  while (!all_ended() && Clock::now() < deadline) {
    poller.turn(tick);
    for (const auto& stream : streams_) stream->look_for_stall();
  }
}

int Bulk::run() {
  const auto start = Clock::now();
  for (unsigned i = 0; i < options.streams; ++i) {
    auto& stream = streams_.emplace_back(std::make_unique<Stream>(*this));
    if (const Status started = stream->start(); !started) {
      std::fprintf(stderr, "bulk: %s\n", started.error().message.c_str());
      return 1;
    }
  }
  wait_until(after(Seconds(options.seconds)));
  for (const auto& stream : streams_) stream->time_is_over();
  wait_until(Clock::time_point::max());  // for the counts; a stream that gets none stalls
  const double seconds = seconds_since(start);
  std::uint64_t bytes = 0;
  for (const auto& stream : streams_) bytes += stream->bytes();
  std::printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.6f,\"errors\":%" PRIu64 "}\n", bytes, seconds,
              failures.count());
  return failures.exit_code();
}

}  // namespace

int run_bulk(const BulkOptions& options) { return Bulk(options).run(); }

}  // namespace weft::bench
