// A pool, and a server that answers each request at once. On either loop.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "http/pool.h"
#include "tests/lib/http/http1_fixture.h"

namespace weft::http {

class HttpPool : public Http1Suite {
 protected:
  HttpPool() {
    auto listener = loop().listen(loopback(0), {}, [this](std::unique_ptr<io::Stream> stream) {
      servers_.push_back(std::make_unique<ServerSide>(loop()));
      ServerSide& server = *servers_.back();
      server.on = [this, &server](std::string_view event) {
        if (event == "begins") {
          if (keep_alive_ != nullptr) {
            server.exchange->send_head(response(200, {{"Content-Length", "0"}, {"X", keep_alive_}}), true);
          } else {
            server.reply(200, "");
          }
        }
      };
      server.take(std::move(stream));
    });
    listener_ = std::move(*listener);
  }

  Pool::Connect connect_to(std::uint16_t port) {
    return [this, port](Pool::ConnectDone done) {
      ++connects_;
      return loop().connect({IpAddress::parse("127.0.0.1").value(), port}, {}, std::move(done));
    };
  }
  Pool::Connect connect() { return connect_to(listener_->local_address().port); }

  // A lease, waited for; nothing where it failed.
  std::optional<Lease> lease(std::string_view key = "a") {
    std::optional<Lease> got;
    bool done = false;
    const auto request = pool_.acquire(key, HttpProtocol::http1, connect(), [&](Result<Lease> result) {
      done = true;
      if (result) got.emplace(*std::move(result));
    });
    EXPECT_FALSE(done) << "never inline";
    EXPECT_TRUE(run_until([&] { return done; }));
    return got;
  }
  // One exchange on `lease`, to its end.
  void use(Lease& lease) {
    ClientSide user(loop());
    user.open = true;
    lease.connection().request(request("GET", "/"), true, user);
    EXPECT_TRUE(run_until([&] { return user.finishes + user.aborts == 1; }));
    EXPECT_EQ(user.finishes, 1);
  }
  void use(std::string_view key = "a") {
    auto leased = lease(key);
    ASSERT_TRUE(leased);
    use(*leased);
  }

  static PoolOptions quickly_idle() {
    PoolOptions options;
    options.idle_timeout = std::chrono::milliseconds(100);
    return options;
  }
  Pool pool_{loop(), quickly_idle()};
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<ServerSide>> servers_;
  const char* keep_alive_ = nullptr;
  int connects_ = 0;
};

}  // namespace weft::http
