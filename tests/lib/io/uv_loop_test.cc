// What only real sockets and threads can show.
#include "io/uv_loop.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/text.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"
#include "tests/support/temp_dir.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

Address loopback(std::uint16_t port) { return {IpAddress::parse("127.0.0.1").value(), port}; }

// A plain blocking client.
class Client {
 public:
  explicit Client(const Address& to)
      : fd_(socket(to.ip.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage storage{};
    const socklen_t length = to.to_sockaddr(storage);
    connected = connect(fd_, reinterpret_cast<sockaddr*>(&storage), length) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  int fd() const { return fd_; }
  bool connected = false;

 private:
  int fd_;
};

TEST(UvTimerTest, RestartedWithoutDelayItDoesNotHoldTheLoop) {
  io::UvLoop loop;
  int fired = 0;
  bool other_fired = false;
  std::unique_ptr<io::Timer> timer;
  timer = loop.make_timer([&] {
    ++fired;
    timer->start(0ms);
  });
  const auto other = loop.make_timer([&] { other_fired = true; });
  timer->start(0ms);
  other->start(100ms);  // long enough that a busy machine runs the loop more than once
  ASSERT_TRUE(run_until(loop, [&] { return other_fired; }));
  EXPECT_GT(fired, 1);
  EXPECT_LE(fired, 102);
}

TEST(UvLoopTest, StandsStillWhileNothingHappens) {
  io::UvLoop loop;
  bool fired = false;
  const auto timer = loop.make_timer([&] { fired = true; });
  timer->start(60ms);
  loop.defer([] {});
  int turns = 0;
  while (!fired) {
    loop.run_turn();
    ++turns;
  }
  EXPECT_LE(turns, 3);
}

TEST(UvLoopTest, PostsFromManyThreadsAllRunOnTheLoopsThread) {
  io::UvLoop loop;
  constexpr int threads = 4;
  constexpr int each = 2'000;
  int ran = 0;
  bool same_thread = true;
  const auto home = std::this_thread::get_id();
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        loop.post([&] {
          same_thread = same_thread && std::this_thread::get_id() == home;
          if (++ran == threads * each) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& poster : posters) poster.join();
  EXPECT_EQ(ran, threads * each);
  EXPECT_TRUE(same_thread);
}

TEST(UvLoopTest, StopsFromAnotherThreadAndBeforeItRuns) {
  io::UvLoop loop;
  std::thread stopper([&] { loop.stop(); });
  loop.run();
  stopper.join();
  loop.stop();
  loop.run();
}

// As the sidecar's workers: one loop a thread, one listener a loop, all on one port.
TEST(UvLoopTest, ManyLoopsOnManyThreadsShareAPort) {
  io::ListenOptions shared;
  shared.reuse_port = true;
  constexpr int workers = 3;
  constexpr int connections = 60;
  std::atomic<int> echoed{0};
  struct Echo final : io::StreamHandler {
    explicit Echo(std::unique_ptr<io::Stream> s) : stream(std::move(s)) { stream->start(*this); }
    void stream_data(std::string_view bytes) override { stream->write(bytes); }
    void stream_end() override { stream->end(); }
    void stream_drained() override {}
    void stream_failed(const Error&) override {}
    std::unique_ptr<io::Stream> stream;
  };
  struct Worker {
    io::UvLoop loop;
    std::vector<std::unique_ptr<Echo>> echoes;
    std::unique_ptr<io::Listener> listener;
    std::thread thread;
  };
  std::vector<std::unique_ptr<Worker>> all;
  Address address = loopback(0);
  for (int i = 0; i < workers; ++i) {
    auto worker = std::make_unique<Worker>();
    auto listener =
        worker->loop.listen(address, shared, [w = worker.get()](std::unique_ptr<io::Stream> stream) {
          w->echoes.push_back(std::make_unique<Echo>(std::move(stream)));
        });
    ASSERT_TRUE(listener) << listener.error().message;
    worker->listener = std::move(*listener);
    address = worker->listener->local_address();
    all.push_back(std::move(worker));
  }
  for (auto& worker : all) worker->thread = std::thread([w = worker.get()] { w->loop.run(); });
  for (int i = 0; i < connections; ++i) {
    const Client client(address);
    ASSERT_TRUE(client.connected);
    ASSERT_EQ(send(client.fd(), "ping", 4, 0), 4);
    char answer[4];
    if (recv(client.fd(), answer, 4, MSG_WAITALL) == 4) ++echoed;
  }
  for (auto& worker : all) worker->loop.stop();
  for (auto& worker : all) worker->thread.join();
  EXPECT_EQ(echoed, connections);
  for (auto& worker : all) EXPECT_FALSE(worker->echoes.empty());
}

TEST(UvStreamTest, WritesOfOneTurnLeaveInOnePacketAtItsEnd) {
  io::UvLoop loop;
  StreamRecorder server;
  const auto listener = loop.listen(loopback(0), {}, [&](auto stream) { server.take(std::move(stream)); });
  ASSERT_TRUE(listener);
  const Client client((*listener)->local_address());
  ASSERT_TRUE(run_until(loop, [&] { return server.stream != nullptr; }));
  bool nothing_yet = false;
  loop.post([&] {
    for (const auto* piece : {"HTTP/1.1 200 OK\r\n", "content-length: 2\r\n", "\r\n", "ok"})
      server.stream->write(piece);
    char byte;
    nothing_yet = recv(client.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
  });
  ASSERT_TRUE(run_until(loop, [&] { return nothing_yet; }));
  char text[128];
  const ssize_t count = recv(client.fd(), text, sizeof text, 0);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(std::max<ssize_t>(count, 0))),
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
}

TEST(UvStreamTest, LargeWritesGoStraightToTheKernel) {
  io::UvLoop loop;
  StreamRecorder server;
  const auto listener = loop.listen(loopback(0), {}, [&](auto stream) { server.take(std::move(stream)); });
  ASSERT_TRUE(listener);
  const Client client((*listener)->local_address());
  ASSERT_TRUE(run_until(loop, [&] { return server.stream != nullptr; }));
  server.stream->write(std::string(32 * 1024, 'x'));
  EXPECT_EQ(server.stream->queued_bytes(), 0u);
  server.stream->write("small");
  EXPECT_EQ(server.stream->queued_bytes(), 5u);
}

TEST(UvStreamTest, SmallWritesSetDelayOff) {
  io::UvLoop loop;
  StreamRecorder server;
  const auto listener = loop.listen(loopback(0), {}, [&](auto stream) { server.take(std::move(stream)); });
  ASSERT_TRUE(listener);
  StreamRecorder client;
  const auto connecting =
      loop.connect((*listener)->local_address(), {}, [&](auto stream) { client.take(std::move(*stream)); });
  ASSERT_TRUE(run_until(loop, [&] { return server.stream && client.stream; }));
  // Without TCP_NODELAY the second small write of a side would wait for the acknowledgement of the first.
  const auto started = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    client.stream->write("a");
    ASSERT_TRUE(run_until(loop, [&] { return server.data.size() == static_cast<std::size_t>(2 * i + 1); }));
    client.stream->write("b");
    ASSERT_TRUE(run_until(loop, [&] { return server.data.size() == static_cast<std::size_t>(2 * i + 2); }));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - started, 700ms);
}

TEST(UvConnectTest, NoAnswerIsATimeoutThatSaysHowLongItWaited) {
  // A listener that never accepts, with its queue full, drops what comes.
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage storage{};
  socklen_t length = loopback(0).to_sockaddr(storage);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&storage), length), 0);
  ASSERT_EQ(listen(fd, 0), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length), 0);
  const auto address = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage)).value();
  io::UvLoop loop;
  std::vector<std::unique_ptr<io::Connecting>> fillers;
  std::vector<std::unique_ptr<io::Stream>> kept;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(loop.connect(address, {}, [&](auto stream) {
      if (stream) kept.push_back(std::move(*stream));
    }));
  }
  run_for(loop, 30ms);
  std::optional<Error> error;
  io::ConnectOptions options;
  options.timeout = 80ms;
  const auto connecting = loop.connect(address, options, [&](auto stream) {
    ASSERT_FALSE(stream);
    error = stream.error();
  });
  ASSERT_TRUE(run_until(loop, [&] { return error.has_value(); }));
  EXPECT_EQ(error->code, Code::timeout);
  EXPECT_EQ(error->message, str_cat("connect ", address.to_string(), ": no answer within 80 ms"));
  ::close(fd);
}

TEST(UvConnectTest, SetsTheMark) {
  if (geteuid() != 0) GTEST_SKIP() << "needs CAP_NET_ADMIN";
  io::UvLoop loop;
  const auto listener = loop.listen(loopback(0), {}, [](auto) {});
  ASSERT_TRUE(listener);
  io::ConnectOptions options;
  options.mark = 1337;
  std::optional<Result<std::unique_ptr<io::Stream>>> result;
  const auto connecting =
      loop.connect((*listener)->local_address(), options, [&](auto r) { result = std::move(r); });
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_TRUE(*result) << result->error().message;
}

TEST(UvListenerTest, AnIpv6ListenerStandsBesideAnIpv4One) {
  io::UvLoop loop;
  StreamRecorder six;
  const auto first = loop.listen({IpAddress(), 0}, {}, [](auto) {});
  ASSERT_TRUE(first);
  io::ListenOptions only;
  only.only_v6 = true;
  const Address any6{IpAddress::parse("::").value(), (*first)->local_address().port};
  const auto second = loop.listen(any6, only, [&](auto stream) { six.take(std::move(stream)); });
  if (!second && second.error().message.find("family not supported") != std::string::npos) {
    GTEST_SKIP() << "no IPv6 on this machine";
  }
  ASSERT_TRUE(second) << second.error().message;
  const Client client({IpAddress::parse("::1").value(), any6.port});
  ASSERT_TRUE(client.connected);
  ASSERT_TRUE(run_until(loop, [&] { return six.stream != nullptr; }));
  EXPECT_EQ(six.stream->local_address().to_string(), str_cat("[::1]:", any6.port));
}

TEST(UvListenerTest, OutOfDescriptorsItRestsInsteadOfSpinningAndThenGoesOn) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer needs descriptors of its own";
#endif
  io::UvLoop loop;
  std::vector<std::unique_ptr<io::Stream>> accepted;
  const auto listener =
      loop.listen(loopback(0), {}, [&](auto stream) { accepted.push_back(std::move(stream)); });
  ASSERT_TRUE(listener);
  const Client client((*listener)->local_address());
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int next = fcntl(0, F_DUPFD_CLOEXEC, 3);
  ::close(next);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  bool over = false;
  const auto timer = loop.make_timer([&] { over = true; });
  timer->start(250ms);
  int turns = 0;
  while (!over) {
    loop.run_turn();
    ++turns;
  }
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(accepted.empty());
  EXPECT_LE(turns, 12);
  EXPECT_TRUE(run_until(loop, [&] { return accepted.size() == 1; }));
}

TEST(UvUnixSocketTest, TheFileIsTheOwnersAloneAndGoesWithTheListener) {
  io::UvLoop loop;
  const TempDir dir;
  const std::string path = dir / "control";
  auto listener = loop.listen_unix(path, [](auto) {});
  ASSERT_TRUE(listener) << listener.error().message;
  struct stat status {};
  ASSERT_EQ(lstat(path.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  listener->reset();
  EXPECT_NE(lstat(path.c_str(), &status), 0);
}

TEST(UvUnixSocketTest, AFileLeftByADeadProcessIsReplaced) {
  io::UvLoop loop;
  const TempDir dir;
  const std::string path = dir / "control";
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  StreamRecorder server;
  StreamRecorder client;
  const auto listener = loop.listen_unix(path, [&](auto stream) { server.take(std::move(stream)); });
  ASSERT_TRUE(listener) << listener.error().message;
  const auto connecting = loop.connect_unix(path, [&](auto stream) { client.take(std::move(*stream)); });
  EXPECT_TRUE(run_until(loop, [&] { return server.stream && client.stream; }));
}

TEST(UvUnixSocketTest, AnOrdinaryFileIsNotReplaced) {
  io::UvLoop loop;
  const TempDir dir;
  const std::string path = dir.write("notes", "precious");
  const auto listener = loop.listen_unix(path, [](auto) {});
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().message,
            str_cat("listen on ", path, ": the file exists and is no socket; remove it or choose another"));
}

TEST(UvUnixSocketTest, APathThatIsTooLongIsRefusedWithTheLimit) {
  io::UvLoop loop;
  const auto listener = loop.listen_unix("/" + std::string(120, 'x'), [](auto) {});
  ASSERT_FALSE(listener);
  EXPECT_NE(listener.error().message.find("a socket's path has 1 to 107 bytes, this one has 121"),
            std::string::npos);
}

}  // namespace
}  // namespace weft::test
