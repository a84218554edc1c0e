#include "sidecar/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tests/sim/sim_loop.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

RequestRecord full_request() {
  RequestRecord record;
  record.peers = {Direction::outbound,
                  "spiffe://cluster.local/ns/default/sa/hello",
                  "spiffe://cluster.local/ns/default/sa/world",
                  "hello",
                  "world-v1",
                  "198.18.0.2:40000",
                  "198.19.0.1:80",
                  "default/world:80",
                  "v1",
                  "198.18.0.7:8080",
                  true,
                  "TLSv1.3"};
  record.started = WallTime(std::chrono::milliseconds(1'790'000'000'120));
  record.method = "GET";
  record.path = "/";
  record.authority = "world";
  record.request_id = "r-1";
  record.protocol = "HTTP/1.1";
  record.status = 200;
  record.route_rule = "canary";
  record.tries = {{"198.18.0.8:8080", "per-try-timeout", "idempotent", 2s},
                  {"198.18.0.7:8080", "200", "", 1500us}};
  record.request_bytes = 0;
  record.response_bytes = 18;
  record.injected_delay = 500ms;
  record.duration = 2001500us;
  record.time_to_head = 2001ms;
  return record;
}

TEST(AccessLogLine, SaysAllThatIsKnownOfARequest) {
  const std::string line = access_log_line(full_request());
  ASSERT_TRUE(line.ends_with("}\n"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const Json expected = {
      {"time", "2026-09-21T14:13:20.120Z"},
      {"kind", "request"},
      {"direction", "outbound"},
      {"source_identity", "spiffe://cluster.local/ns/default/sa/hello"},
      {"destination_identity", "spiffe://cluster.local/ns/default/sa/world"},
      {"source_workload", "hello"},
      {"destination_workload", "world-v1"},
      {"source_address", "198.18.0.2:40000"},
      {"destination_address", "198.19.0.1:80"},
      {"service", "default/world:80"},
      {"subset", "v1"},
      {"endpoint", "198.18.0.7:8080"},
      {"mutual_tls", true},
      {"tls_version", "TLSv1.3"},
      {"method", "GET"},
      {"path", "/"},
      {"authority", "world"},
      {"request_id", "r-1"},
      {"protocol", "HTTP/1.1"},
      {"status", 200},
      {"route", "canary"},
      {"tries",
       {{{"endpoint", "198.18.0.8:8080"},
         {"reason", "per-try-timeout"},
         {"class", "idempotent"},
         {"duration_ms", 2000.0}},
        {{"endpoint", "198.18.0.7:8080"}, {"reason", "200"}, {"duration_ms", 1.5}}}},
      {"request_bytes", 0},
      {"response_bytes", 18},
      {"injected_delay_ms", 500.0},
      {"duration_ms", 2001.5},
      {"head_ms", 2001.0},
  };
  EXPECT_EQ(Json::parse(line, nullptr, false), expected);
}

TEST(AccessLogLine, LeavesOutWhatIsNotThere) {
  const Json line = Json::parse(access_log_line(RequestRecord{}), nullptr, false);
  ASSERT_FALSE(line.is_discarded());
  for (const char* name :
       {"source_identity", "service", "reason", "rule", "tries", "grpc_status", "tls_version"}) {
    EXPECT_FALSE(line.contains(name)) << name;
  }
  EXPECT_EQ(line["status"], 0);
  EXPECT_EQ(line["mutual_tls"], false);
}

TEST(AccessLogLine, OfAConnectionCountsItsBytes) {
  ConnectionRecord record;
  record.peers.direction = Direction::inbound;
  record.protocol = "tcp";
  record.reason = "rbac-denied";
  record.rule = "service db/mysql deny #1";
  record.sent_bytes = 1;
  record.received_bytes = 1'000'000'000'000;
  const Json line = Json::parse(access_log_line(record), nullptr, false);
  EXPECT_EQ(line["kind"], "connection");
  EXPECT_EQ(line["reason"], "rbac-denied");
  EXPECT_EQ(line["rule"], "service db/mysql deny #1");
  EXPECT_EQ(line["received_bytes"], 1'000'000'000'000);
}

TEST(AccessLogLine, IsOneLineOfJsonWhateverCameFromTheNetwork) {
  RequestRecord record = full_request();
  record.path.clear();
  for (int c = 0; c < 256; ++c) record.path.push_back(static_cast<char>(c));
  record.method = "\"},{\"";
  const std::string line = access_log_line(record);
  for (const char c : std::string_view(line).substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  const Json parsed = Json::parse(line, nullptr, false);
  ASSERT_FALSE(parsed.is_discarded());
  EXPECT_EQ(parsed["method"], record.method);
}

TEST(AccessLogLine, FitsIntoOneWriteToAPipe) {
  RequestRecord record = full_request();
  record.path = str_cat("/", std::string(60'000, '\x01'));
  record.authority = std::string(5000, '"');
  record.method = std::string(5000, 'M');
  record.tries.assign(11, {"[2001:2::1234:5678:9abc:def0]:65535", "per-try-timeout", "idempotent", 1us});
  const std::string line = access_log_line(record);
  EXPECT_LE(line.size(), log_line_bytes_max);
  const Json parsed = Json::parse(line, nullptr, false);
  ASSERT_FALSE(parsed.is_discarded());
  EXPECT_EQ(parsed["tries"].size(), 11u);
  EXPECT_TRUE(parsed["path"].get<std::string>().ends_with("..."));
}

TEST(AccessLogMode, ErrorsAreWhatSomebodyWouldLookFor) {
  const auto logged = [](policy::AccessLog mode, auto change) {
    RequestRecord record;
    record.status = 200;
    change(record);
    return is_logged(mode, record);
  };
  const auto errors = policy::AccessLog::errors;
  const auto nothing = [](RequestRecord&) {};
  EXPECT_FALSE(logged(errors, nothing));
  EXPECT_TRUE(logged(policy::AccessLog::all, nothing));
  EXPECT_FALSE(logged(policy::AccessLog::off, [](RequestRecord& r) { r.status = 503; }));
  EXPECT_FALSE(logged(errors, [](RequestRecord& r) { r.status = 404; })) << "the application's answer";
  EXPECT_FALSE(logged(errors, [](RequestRecord& r) { r.rule = "service a/b allow #1"; }));
  EXPECT_TRUE(logged(errors, [](RequestRecord& r) { r.rule = "service a/b audit #1"; }));
  EXPECT_TRUE(logged(errors, [](RequestRecord& r) { r.reason = "rbac-denied"; }));
  EXPECT_TRUE(logged(errors, [](RequestRecord& r) { r.status = 500; }));
  EXPECT_TRUE(logged(errors, [](RequestRecord& r) { r.status = 0; }));
  EXPECT_TRUE(logged(errors, [](RequestRecord& r) { r.tries.resize(2); }));
  ConnectionRecord connection;
  EXPECT_FALSE(is_logged(errors, connection));
  EXPECT_TRUE(is_logged(policy::AccessLog::all, connection));
  connection.reason = "tls-failed";
  EXPECT_TRUE(is_logged(errors, connection));
}

// A pipe whose writing end is as standard output usually is: blocking.
class Pipe {
 public:
  Pipe() {
    EXPECT_EQ(::pipe(ends_.data()), 0);
    EXPECT_EQ(::fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
    EXPECT_GT(::fcntl(ends_[1], F_SETPIPE_SZ, 16 * 1024), 0);
  }
  ~Pipe() {
    for (const int fd : ends_) ::close(fd);
  }
  int writing_end() const { return ends_[1]; }
  std::string read_all() {
    std::string out;
    std::array<char, 65536> bytes;
    for (;;) {
      const ssize_t got = ::read(ends_[0], bytes.data(), bytes.size());
      if (got <= 0) return out;
      out.append(bytes.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  std::array<int, 2> ends_{};
};

TEST(AccessLog, TheFirstLineLeavesAtTheEndOfItsTurnAndABusyWorkersTogether) {
  Pipe pipe;
  AccessLogSink sink(pipe.writing_end());
  sim::SimLoop loop;
  AccessLog log(sink);
  loop.advance(1s);
  log.start(loop);
  log.add("one\n");
  EXPECT_EQ(pipe.read_all(), "") << "never inside the turn's work";
  loop.advance(0s);
  EXPECT_EQ(pipe.read_all(), "one\n");
  log.add("two\n");
  loop.advance(50ms);
  log.add("three\n");
  EXPECT_EQ(pipe.read_all(), "");
  loop.advance(50ms);
  EXPECT_EQ(pipe.read_all(), "two\nthree\n");
}

TEST(AccessLog, LinesBeforeStartAreNotLost) {
  Pipe pipe;
  AccessLogSink sink(pipe.writing_end());
  sim::SimLoop loop;
  AccessLog log(sink);
  log.add("early\n");
  log.start(loop);
  loop.advance(200ms);
  EXPECT_EQ(pipe.read_all(), "early\n");
}

TEST(AccessLog, StopWritesWhatIsLeft) {
  Pipe pipe;
  AccessLogSink sink(pipe.writing_end());
  AccessLog log(sink);
  {
    sim::SimLoop loop;
    log.start(loop);
    log.add("last\n");
    log.stop();
  }
  EXPECT_EQ(pipe.read_all(), "last\n");
}

TEST(AccessLog, AFullPipeNeverBlocksAndWhatFindsNoRoomIsCounted) {
  Pipe pipe;
  AccessLogSink sink(pipe.writing_end());
  sim::SimLoop loop;
  AccessLog log(sink);
  log.start(loop);
  const std::string line = std::string(999, 'x') + "\n";
  std::size_t added = 0;
  for (; added < 1000; ++added) {
    log.add(line);
    loop.advance(10ms);
  }
  const std::uint64_t dropped = log.take_dropped();
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(log.take_dropped(), 0u);
  // The reader comes back: everything that was not dropped arrives, whole and in order.
  std::string read;
  for (int i = 0; i < 100; ++i) {
    read += pipe.read_all();
    loop.advance(1s);
  }
  EXPECT_EQ(read.size(), (added - dropped) * line.size());
  for (const std::string_view got : split(std::string_view(read).substr(0, read.size() - 1), '\n')) {
    EXPECT_EQ(got.size(), 999u);
  }
}

TEST(AccessLogSink, TakesWholeLinesAsFarAsThereIsRoom) {
  Pipe pipe;
  AccessLogSink sink(pipe.writing_end());
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += std::string(899, static_cast<char>('a' + i % 26)) + "\n";
  const std::size_t taken = sink.write(lines).bytes;
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, lines.size());
  EXPECT_EQ(taken % 900, 0u);
  EXPECT_EQ(pipe.read_all(), lines.substr(0, taken));
}

TEST(AccessLogSink, LosesLinesQuietlyWhereNothingCanBeWritten) {
  AccessLogSink sink(-1);
  EXPECT_EQ(sink.write("a\n").bytes, 0u) << "poll skips a negative descriptor: no room";
  const int read_only = ::open("/dev/null", O_RDONLY);
  AccessLogSink wrong(read_only);
  const AccessLogSink::Written written = wrong.write("a\nb\n");
  EXPECT_EQ(written.bytes, 4u);
  EXPECT_EQ(written.lost_lines, 2u);
  ::close(read_only);
}

// Standard output on a full disk, and behind a reader that is gone.
TEST(AccessLog, LinesThatCannotBeWrittenAreCountedAndNothingSpins) {
  for (const bool full : {true, false}) {
    int fd = ::open("/dev/full", O_WRONLY);
    if (!full) {
      ::close(fd);
      std::array<int, 2> ends{};
      ASSERT_EQ(::pipe(ends.data()), 0);
      ::close(ends[0]);
      fd = ends[1];
    }
    ASSERT_GE(fd, 0);
    const auto old_handler = ::signal(SIGPIPE, SIG_IGN);  // as the loop of the process does
    AccessLogSink sink(fd);
    sim::SimLoop loop;
    AccessLog log(sink);
    log.start(loop);
    for (int i = 0; i < 10; ++i) log.add("line\n");
    loop.advance(1s);
    EXPECT_EQ(log.take_dropped(), 10u);
    EXPECT_FALSE(loop.network().run_one()) << "nothing is tried again";
    log.stop();
    ::signal(SIGPIPE, old_handler);
    ::close(fd);
  }
}

}  // namespace
}  // namespace weft::sidecar
