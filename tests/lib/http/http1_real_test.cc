// Peers that are not ours: curl in front of the server connection, Python's http.server behind the client
// connection.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>

#include "http/pool.h"
#include "io/process.h"
#include "io/uv_loop.h"
#include "tests/lib/http/http1_fixture.h"
#include "tests/support/run_until.h"
#include "tests/support/temp_dir.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

class Http1Real : public ::testing::Test {
 protected:
  Http1Real() {
    listener_ =
        *loop_.listen(Address::parse("127.0.0.1:0").value(), {}, [this](std::unique_ptr<io::Stream> stream) {
          servers_.push_back(std::make_unique<ServerSide>(loop_));
          ServerSide& server = *servers_.back();
          server.options.answer_expect = true;
          server.on = [&server](std::string_view event) {
            if (event != "end" && !(event == "begins" && server.no_body)) return;
            server.reply(200,
                         str_cat(server.head.method, " ", server.head.target, " ", server.body.size(), "\n"));
            server.body.clear();
          };
          server.take(std::move(stream));
        });
    url_ = str_cat("http://", listener_->local_address().to_string());
  }

  std::unique_ptr<io::Process> spawn(std::vector<std::string> argv, const std::string& output) {
    const int descriptor = ::open(output.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    io::ProcessOptions options;
    options.argv = std::move(argv);
    options.env = {"PATH=/usr/bin:/bin"};
    options.folder = folder_.path();
    options.standard_output = io::Stdio::to(descriptor);
    options.standard_error = io::Stdio::to(descriptor);
    auto process = io::spawn(loop_, std::move(options), [this](io::ExitStatus status) { exit_ = status; });
    ::close(descriptor);
    EXPECT_TRUE(process) << process.error().message;
    return process ? *std::move(process) : nullptr;
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // What curl printed.
  std::string curl(std::vector<std::string> more) {
    std::vector<std::string> argv{"curl", "--silent", "--show-error", "--max-time", "20"};
    argv.insert(argv.end(), more.begin(), more.end());
    const std::string output = folder_ / "output";
    exit_.reset();
    const auto process = spawn(std::move(argv), output);
    EXPECT_TRUE(test::run_until(loop_, [&] { return exit_.has_value(); }));
    EXPECT_EQ(exit_->code, 0);
    return read(output);
  }

  io::UvLoop loop_;
  test::TempDir folder_;
  std::vector<std::unique_ptr<ServerSide>> servers_;
  std::unique_ptr<io::Listener> listener_;
  std::string url_;
  std::optional<io::ExitStatus> exit_;
};

TEST_F(Http1Real, CurlKeepsTheConnection) {
  EXPECT_EQ(curl({url_ + "/a", url_ + "/b?c", "-d", "xyz"}), "POST /a 3\nPOST /b?c 3\n");
  EXPECT_EQ(servers_.size(), 1u);
  EXPECT_EQ(servers_[0]->finishes, 2);
  EXPECT_EQ(servers_[0]->aborts, 0);
}

TEST_F(Http1Real, CurlUploadsHoweverItLikes) {
  const std::string file = folder_.write("big", std::string(5'000'000, 'b'));
  EXPECT_EQ(curl({"-T", file, url_ + "/put"}), "PUT /put 5000000\n");
  EXPECT_EQ(curl({"-H", "Transfer-Encoding: chunked", "--data-binary", "@" + file, url_ + "/post"}),
            "POST /post 5000000\n");
  EXPECT_EQ(curl({"-H", "Expect: 100-continue", "--expect100-timeout", "15", "-d", "abc", url_}),
            "POST / 3\n");
}

TEST_F(Http1Real, CurlSpeaksHttp10HeadAndOffersOfHttp2) {
  EXPECT_EQ(curl({"-0", url_ + "/old"}), "GET /old 0\n");
  EXPECT_EQ(curl({"-I", url_ + "/head"}), "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n");
  EXPECT_EQ(curl({"--http2", url_ + "/h2c"}), "GET /h2c 0\n");
  EXPECT_EQ(curl({"-X", "QUERY", url_ + "/"}), "QUERY / 0\n");
}

TEST_F(Http1Real, PythonServesAFileOverAKeptConnection) {
  const std::string content(1'000'000, 'c');
  folder_.write("file", content);
  const auto python = spawn({"python3", "-u", "-m", "http.server", "-b", "127.0.0.1", "-p", "HTTP/1.1", "0"},
                            folder_ / "log");
  std::uint16_t port = 0;  // "Serving HTTP on 127.0.0.1 port 40000 (…"
  ASSERT_TRUE(test::run_until(loop_, [&] {
    const std::string log = read(folder_ / "log");
    const std::size_t at = log.find(" port ");
    const std::size_t end = log.find(' ', at + 6);
    if (at == std::string::npos || end == std::string::npos) return false;
    port = parse_number<std::uint16_t>(std::string_view(log).substr(at + 6, end - at - 6)).value_or(0);
    return port != 0;
  }));
  Pool pool(loop_);
  int connects = 0;
  const auto connect = [&](Pool::ConnectDone done) {
    ++connects;
    return loop_.connect({IpAddress::parse("127.0.0.1").value(), port}, {}, std::move(done));
  };
  for (const std::string_view method : {"GET", "HEAD", "GET"}) {
    std::optional<Lease> lease;
    const auto acquiring = pool.acquire("python", HttpProtocol::http1, connect,
                                        [&](Result<Lease> result) { lease.emplace(*std::move(result)); });
    ASSERT_TRUE(test::run_until(loop_, [&] { return lease.has_value(); }));
    ClientSide user(loop_);
    user.open = true;
    lease->connection().request(request(std::string(method), "/file"), true, user);
    ASSERT_TRUE(test::run_until(loop_, [&] { return user.finishes + user.aborts == 1; }));
    EXPECT_EQ(user.head.status, 200);
    EXPECT_EQ(user.body, method == "HEAD" ? "" : content);
  }
  EXPECT_EQ(connects, 1);
}

TEST_F(Http1Real, APooledConnectionIsLookedAtBeforeItIsUsedAgain) {
  Pool pool(loop_);
  int connects = 0;
  const auto connect = [&](Pool::ConnectDone done) {
    ++connects;
    return loop_.connect(listener_->local_address(), {}, std::move(done));
  };
  for (int i = 0; i < 2; ++i) {
    std::optional<Lease> lease;
    const auto acquiring = pool.acquire("a", HttpProtocol::http1, connect,
                                        [&](Result<Lease> result) { lease.emplace(*std::move(result)); });
    ASSERT_TRUE(test::run_until(loop_, [&] { return lease.has_value(); }));
    ClientSide user(loop_);
    user.open = true;
    lease->connection().request(request("GET", "/"), true, user);
    ASSERT_TRUE(test::run_until(loop_, [&] { return user.finishes + user.aborts == 1; }));
    EXPECT_EQ(user.finishes, 1);
    lease.reset();
    // The server closes; our loop has not read that yet when the next request is made.
    for (const auto& server : servers_) server->connection.reset();
  }
  EXPECT_EQ(connects, 2);
}

}  // namespace
}  // namespace weft::http
