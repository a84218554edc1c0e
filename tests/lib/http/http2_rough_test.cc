// Many exchanges at a time between HTTP/2 connections, over a network that cuts, delays, stalls and breaks,
// from seeds: every exchange ends exactly once on both sides, and what arrives whole is what was sent.
#include <gtest/gtest.h>

#include "base/random.h"
#include "http/http2_client.h"
#include "http/http2_server.h"
#include "tests/lib/http/http1_fixture.h"
#include "tests/sim/sim_loop.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

std::string pattern(std::uint64_t number, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += str_cat(number, ".");
  text.resize(bytes);
  return text;
}

struct Counts {
  int begun = 0, finished = 0, aborted = 0, cancelled = 0, wrong = 0;
};

struct World {
  Random& random;
  Counts client, server;
  std::size_t large_bytes = 600000;
  bool orderly = true;  // nobody resets or cancels
  std::size_t body_bytes() { return random.below(4) == 0 ? random.below(large_bytes) : random.below(200); }
};

// Sends its bytes in pieces as long as there is room; the same for requests and responses.
template <class Exchange>
class Sender {
 public:
  void begin(Exchange& exchange, std::string bytes) {
    exchange_ = &exchange;
    bytes_ = std::move(bytes);
  }
  void push(Random& random) {
    while (exchange_ != nullptr && exchange_->writable()) {
      const std::string_view piece = std::string_view(bytes_).substr(sent_, 1 + random.below(50000));
      exchange_->send_body(piece);
      sent_ += piece.size();
      if (sent_ == bytes_.size()) std::exchange(exchange_, nullptr)->send_end({});
    }
  }
  void stop() { exchange_ = nullptr; }

 private:
  Exchange* exchange_ = nullptr;
  std::string bytes_;
  std::size_t sent_ = 0;
};

class RoughRequest final : public ClientExchangeHandler {
 public:
  RoughRequest(io::Loop& loop, World& world, ClientConnection& connection, std::uint64_t number)
      : loop_(loop), world_(world), number_(number) {
    const std::size_t size = world.random.below(3) == 0 ? 0 : world.body_bytes();
    codec::RequestHead head = request("POST", str_cat("/", number), {{"x-bytes", std::to_string(size)}});
    // Some wait for the server's SETTINGS (RFC 8441 § 3).
    if (world.random.below(4) == 0) {
      head.method = "CONNECT";
      head.protocol = "websocket";
    }
    ++world.client.begun;
    exchange_ = &connection.request(head, size == 0, *this);
    if (size == 0) return;
    sender_.begin(*exchange_, pattern(number, size));
    sender_.push(world.random);
  }
  bool over() const { return exchange_ == nullptr; }

 private:
  void response_head(codec::ResponseHead&& head, bool) override {
    if (head.status < 200) return;
    expected_ = pattern(number_, parse_number<std::size_t>(*head.headers.get("x-bytes")).value());
  }
  void response_body(std::string_view bytes) override {
    body_ += bytes;
    if (!world_.orderly && world_.random.below(100) == 0) {
      cancel();
    } else if (world_.random.below(8) == 0) {
      exchange_->pause_body();
      timer_ = loop_.make_timer([this] {
        if (exchange_ != nullptr) exchange_->resume_body();
      });
      timer_->start(std::chrono::milliseconds(world_.random.below(200)));
    }
  }
  void response_end(const codec::Headers&) override {}
  void request_drained() override {
    if (!world_.orderly && world_.random.below(50) == 0) return cancel();
    sender_.push(world_.random);
  }
  void cancel() {
    sender_.stop();
    std::exchange(exchange_, nullptr)->cancel();
    ++world_.client.cancelled;
  }
  void exchange_finished() override {
    end(world_.client.finished);
    if (body_ != expected_) ++world_.client.wrong;
  }
  void exchange_aborted(const Error&, Delivery) override { end(world_.client.aborted); }
  void end(int& count) {
    EXPECT_NE(exchange_, nullptr) << "ended twice";
    sender_.stop();
    exchange_ = nullptr;
    ++count;
  }

  io::Loop& loop_;
  World& world_;
  std::uint64_t number_;
  ClientExchange* exchange_ = nullptr;
  Sender<ClientExchange> sender_;
  std::string body_, expected_;
  std::unique_ptr<io::Timer> timer_;
};

class RoughCaller final : public ClientConnectionHandler {
 public:
  RoughCaller(io::Loop& loop, World& world, std::unique_ptr<io::Stream> stream) : loop_(loop), world_(world) {
    connection_ = make_http2_client_connection(loop, std::move(stream), *this, {});
    more();
  }
  bool over() const { return connection_ == nullptr; }

 private:
  void more() {
    while (requests_.size() < 40 && connection_->available()) {
      requests_.push_back(std::make_unique<RoughRequest>(loop_, world_, *connection_, requests_.size()));
      if (world_.random.below(3) == 0) break;
    }
    if (requests_.size() == 40) connection_->drain();
  }
  void connection_available() override { more(); }
  void connection_closed(const Error*) override {
    for (const auto& request : requests_) EXPECT_TRUE(request->over());
    loop_.delete_later(std::move(connection_));
  }

  io::Loop& loop_;
  World& world_;
  std::unique_ptr<ClientConnection> connection_;
  std::vector<std::unique_ptr<RoughRequest>> requests_;
};

class RoughServed final : public ServerExchangeHandler {
 public:
  RoughServed(io::Loop& loop, World& world, ServerExchange& exchange, const codec::RequestHead& head,
              bool end)
      : loop_(loop), world_(world), exchange_(&exchange) {
    number_ = parse_number<std::uint64_t>(head.target.substr(1)).value();
    expected_ = pattern(number_, parse_number<std::size_t>(*head.headers.get("x-bytes")).value());
    ++world.server.begun;
    if (end) respond();
  }
  bool over() const { return exchange_ == nullptr; }

 private:
  void respond() {
    if (!world_.orderly && world_.random.below(30) == 0) {
      return exchange_->reset(Error{Code::internal, "no"});
    }
    const std::size_t size = world_.body_bytes();
    exchange_->send_head(response(200, {{"x-bytes", std::to_string(size)}}), size == 0);
    if (size == 0) return;
    sender_.begin(*exchange_, pattern(number_, size));
    sender_.push(world_.random);
  }
  void request_body(std::string_view bytes) override {
    body_ += bytes;
    if (world_.random.below(8) != 0) return;
    exchange_->pause_body();
    timer_ = loop_.make_timer([this] {
      if (exchange_ != nullptr) exchange_->resume_body();
    });
    timer_->start(std::chrono::milliseconds(world_.random.below(200)));
  }
  void request_end(const codec::Headers&) override { respond(); }
  void response_drained() override { sender_.push(world_.random); }
  void exchange_finished() override {
    end(world_.server.finished);
    if (body_ != expected_) ++world_.server.wrong;
  }
  void exchange_aborted(const Error&) override { end(world_.server.aborted); }
  void end(int& count) {
    EXPECT_NE(exchange_, nullptr) << "ended twice";
    sender_.stop();
    exchange_ = nullptr;
    ++count;
  }

  io::Loop& loop_;
  World& world_;
  std::uint64_t number_ = 0;
  ServerExchange* exchange_;
  Sender<ServerExchange> sender_;
  std::string body_, expected_;
  std::unique_ptr<io::Timer> timer_;
};

class RoughAnswerer final : public ServerConnectionHandler {
 public:
  RoughAnswerer(io::Loop& loop, World& world, std::unique_ptr<io::Stream> stream)
      : loop_(loop), world_(world) {
    connection_ = make_http2_server_connection(loop, std::move(stream), *this, {}, "");
  }
  bool over() const { return connection_ == nullptr; }

 private:
  ServerExchangeHandler& request_begins(ServerExchange& exchange, codec::RequestHead&& head,
                                        bool end) override {
    served_.push_back(std::make_unique<RoughServed>(loop_, world_, exchange, head, end));
    if (!world_.orderly && served_.size() == 30) connection_->drain();
    return *served_.back();
  }
  void connection_closed(const Error*) override {
    for (const auto& each : served_) EXPECT_TRUE(each->over());
    loop_.delete_later(std::move(connection_));
  }

  io::Loop& loop_;
  World& world_;
  std::unique_ptr<ServerConnection> connection_;
  std::vector<std::unique_ptr<RoughServed>> served_;
};

Counts run(std::uint64_t seed, const sim::NetworkOptions& options, bool orderly, std::size_t large_bytes) {
  SCOPED_TRACE(str_cat("seed ", seed));
  sim::SimNetwork network(seed, options);
  sim::SimLoop& here = network.add_loop({IpAddress::parse("198.18.0.1").value()});
  sim::SimLoop& there = network.add_loop({IpAddress::parse("198.18.0.2").value()});
  SeededRandom random(seed + 1);
  World world{random, {}, {}, large_bytes, orderly};
  std::unique_ptr<RoughAnswerer> serving;
  std::unique_ptr<RoughCaller> asking;
  bool refused = false;
  const auto listener = there.listen({IpAddress::parse("198.18.0.2").value(), 80}, {}, [&](auto stream) {
    serving = std::make_unique<RoughAnswerer>(there, world, std::move(stream));
  });
  const auto connecting = here.connect((*listener)->local_address(), {}, [&](auto stream) {
    refused = !stream;
    if (stream) asking = std::make_unique<RoughCaller>(here, world, std::move(*stream));
  });
  EXPECT_TRUE(network.run_until(
      [&] { return refused || (asking && asking->over() && (!serving || serving->over())); }, 2h));
  const Counts& client = world.client;
  EXPECT_EQ(client.begun, client.finished + client.aborted + client.cancelled);
  EXPECT_EQ(world.server.begun, world.server.finished + world.server.aborted);
  EXPECT_EQ(client.wrong + world.server.wrong, 0);
  return client;
}

TEST(Http2Rough, EveryExchangeFinishesOverANetworkThatOnlyCutsAndDelays) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    sim::NetworkOptions options;
    options.chunk_bytes_max = seed % 3 == 0 ? 7 : 16 * 1024;
    const Counts client = run(seed, options, true, seed % 3 == 0 ? 3000 : 300000);
    EXPECT_EQ(client.finished, 40) << seed;
  }
}

TEST(Http2Rough, NothingWrongFinishesOverANetworkThatBreaks) {
  int aborted = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    sim::NetworkOptions options;
    options.reset_chance = 0.0005;
    options.truncate_chance = 0.0005;
    options.stall_chance = 0.01;
    aborted += run(seed, options, false, 100000).aborted;
  }
  EXPECT_GT(aborted, 10) << "the network broke nothing, so this proved nothing";
}

// What every idle connection costs, beside its stream and its session.
TEST(Http2Size, ConnectionsStaySmall) {
  EXPECT_LE(sizeof(Http2ServerConnection), 1136u);
  EXPECT_LE(sizeof(Http2ClientConnection), 1128u);
}

}  // namespace
}  // namespace weft::http
