// Applications for probes to find, over real loopback sockets: whatever a test writes on a plain stream, and
// `openssl s_server`.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "io/process.h"
#include "io/uv_loop.h"
#include "tests/support/run_until.h"
#include "tests/support/temp_dir.h"

namespace weft::test {

// Hands every connection's bytes, so far, to `answer`, which may write and end.
class PlainServer {
 public:
  using Answer = Function<void(io::Stream& stream, const std::string& received)>;

  PlainServer(io::UvLoop& loop, Answer answer) : answer_(std::move(answer)) {
    auto made = loop.listen(*Address::parse("127.0.0.1:0"), {}, [this](std::unique_ptr<io::Stream> stream) {
      connections_.push_back(std::make_unique<Connection>(*this, std::move(stream)));
    });
    EXPECT_TRUE(made);
    listener_ = *std::move(made);
  }

  const Address& address() const { return listener_->local_address(); }
  std::size_t connections() const { return connections_.size(); }
  // What came on connection `i`.
  const std::string& received(std::size_t i = 0) const { return connections_.at(i)->received; }
  int drains() const { return drains_; }

 private:
  struct Connection final : io::StreamHandler {
    Connection(PlainServer& owner, std::unique_ptr<io::Stream> its_stream)
        : server(owner), stream(std::move(its_stream)) {
      stream->start(*this);
    }
    void stream_data(std::string_view bytes) override {
      received += bytes;
      server.answer_(*stream, received);
    }
    void stream_end() override {}
    void stream_drained() override {
      ++server.drains_;
      server.answer_(*stream, received);
    }
    void stream_failed(const Error&) override {}

    PlainServer& server;
    std::unique_ptr<io::Stream> stream;
    std::string received;
  };

  Answer answer_;
  int drains_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<io::Listener> listener_;
};

// Programs that come with Debian's openssl.
class OpenSsl {
 public:
  explicit OpenSsl(io::UvLoop& loop) : loop_(loop) {}

  // A self-signed certificate and its key, NAME.pem and NAME.key; `options` of `openssl req`.
  void make_certificate(const std::string& name, std::vector<std::string> options) {
    std::vector<std::string> argv = {"openssl", "req",  "-x509",           "-nodes", "-batch", "-keyout",
                                     key(name), "-out", certificate(name), "-days",  "1"};
    argv.insert(argv.end(), options.begin(), options.end());
    std::optional<io::ExitStatus> ended;
    auto process = start(std::move(argv), folder_ / "req.log", [&ended](io::ExitStatus how) { ended = how; });
    EXPECT_TRUE(run_until(loop_, [&ended] { return ended.has_value(); }));
    EXPECT_TRUE(ended && ended->code == 0) << text_of(folder_ / "req.log");
  }

  // Serves its status page over TLS with that certificate; where it listens.
  Address serve(const std::string& name, std::vector<std::string> options) {
    log_ = folder_ / str_cat("server-", servers_.size(), ".log");
    std::vector<std::string> argv = {"openssl", "s_server",        "-accept", "127.0.0.1:0", "-www",
                                     "-cert",   certificate(name), "-key",    key(name)};
    argv.insert(argv.end(), options.begin(), options.end());
    servers_.push_back(start(std::move(argv), log_, [](io::ExitStatus) {}));
    constexpr std::string_view ready = "ACCEPT 127.0.0.1:";
    std::string port;
    EXPECT_TRUE(run_until(loop_, [&] {
      const std::string text = text_of(log_);
      const std::size_t at = text.find(ready);
      const std::size_t end = at == std::string::npos ? at : text.find('\n', at);
      if (end == std::string::npos) return false;
      port = text.substr(at + ready.size(), end - at - ready.size());
      return true;
    })) << text_of(log_);
    return Address::parse("127.0.0.1:" + port).value_or(Address());
  }

  std::string certificate(const std::string& name) const { return folder_ / (name + ".pem"); }
  std::string key(const std::string& name) const { return folder_ / (name + ".key"); }

 private:
  std::unique_ptr<io::Process> start(std::vector<std::string> argv, const std::string& log,
                                     Function<void(io::ExitStatus)> exited) {
    const int descriptor = ::open(log.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    io::ProcessOptions options;
    options.argv = std::move(argv);
    options.env = {"PATH=/usr/bin:/bin"};
    options.standard_output = io::Stdio::to(descriptor);
    options.standard_error = io::Stdio::to(descriptor);
    auto process = io::spawn(loop_, std::move(options), std::move(exited));
    ::close(descriptor);
    EXPECT_TRUE(process) << process.error().message;
    return process ? *std::move(process) : nullptr;
  }

  static std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  }

  io::UvLoop& loop_;
  TempDir folder_;
  std::string log_;
  std::vector<std::unique_ptr<io::Process>> servers_;
};

}  // namespace weft::test
