// Client and server connections against each other over a network that cuts, delays, stalls and breaks, from
// seeds: every exchange ends exactly once on both sides, and what arrives whole is what was sent.
#include <gtest/gtest.h>

#include "http/http1_client.h"
#include "http/http1_server.h"
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
  int finished = 0, aborted = 0, wrong = 0;
  std::size_t large_bytes = 300000;  // of one body in four
};

// What both sides do: send a body in pieces of any size, and now and then take no more for a moment.
template <class Exchange>
class RoughSide {
 protected:
  RoughSide(io::Loop& loop, Random& random, Counts& counts) : loop_(loop), random_(random), counts_(counts) {}

  void draw_body() {
    to_send_ =
        pattern(number_, random_.below(4) == 0 ? random_.below(counts_.large_bytes) : random_.below(200));
    sent_ = 0;
  }
  void push() {
    while (exchange_ != nullptr && !ending_ && exchange_->writable()) {
      const std::string_view piece = std::string_view(to_send_).substr(sent_, 1 + random_.below(50000));
      exchange_->send_body(piece);
      sent_ += piece.size();
      if (sent_ < to_send_.size()) continue;
      ending_ = true;
      exchange_->send_end({});
    }
  }
  void take(std::string_view bytes) {
    body_ += bytes;
    if (random_.below(8) != 0) return;
    exchange_->pause_body();
    loop_.defer(anchor_.guard([this] {
      if (exchange_ != nullptr) exchange_->resume_body();
    }));
  }

  io::Loop& loop_;
  Random& random_;
  Counts& counts_;
  Exchange* exchange_ = nullptr;
  std::uint64_t number_ = 0;
  std::string to_send_, body_, expected_;
  std::size_t sent_ = 0;
  bool ending_ = false;
  Anchor anchor_;
};

// Request N asks for N's pattern and sends N's pattern; chance decides how.
class RoughClient final : public ClientConnectionHandler,
                          public ClientExchangeHandler,
                          private RoughSide<ClientExchange> {
 public:
  RoughClient(io::Loop& loop, Random& random, Counts& counts, std::unique_ptr<io::Stream> stream)
      : RoughSide(loop, random, counts) {
    connection_ = make_http1_client_connection(loop, std::move(stream), *this, {});
    next();
  }
  bool over() const { return connection_ == nullptr; }

 private:
  void next() {
    if (++number_ > 20 || !connection_->available()) return connection_->drain();
    draw_body();
    codec::RequestHead head = request(random_.below(5) == 0 ? "HEAD" : "POST", str_cat("/", number_));
    const bool empty = to_send_.empty() || random_.below(4) == 0;
    if (empty) to_send_.clear();
    if (random_.below(2) == 0) head.headers.add("Content-Length", std::to_string(to_send_.size()));
    head.headers.add("X-Bytes", std::to_string(to_send_.size()));
    is_head_ = head.method == "HEAD";
    body_.clear();
    expected_.clear();
    refused_ = false;
    ending_ = empty;
    exchange_ = &connection_->request(head, empty, *this);
    if (!empty) push();
  }
  void response_head(codec::ResponseHead&& head, bool) override {
    if (head.status == 103) return;
    refused_ = head.status == 400;  // the network cut the request short
    if (refused_ || is_head_) return;
    expected_ = pattern(number_, parse_number<std::size_t>(*head.headers.get("x-bytes")).value());
  }
  void response_body(std::string_view bytes) override { take(bytes); }
  void response_end(const codec::Headers&) override {}
  void request_drained() override { push(); }
  void exchange_finished() override {
    exchange_ = nullptr;
    ++(refused_ ? counts_.aborted : counts_.finished);
    if (!refused_ && body_ != expected_) ++counts_.wrong;
  }
  void exchange_aborted(const Error&, Delivery) override {
    exchange_ = nullptr;
    ++counts_.aborted;
  }
  void connection_available() override { next(); }
  void connection_closed(const Error*) override {
    EXPECT_EQ(exchange_, nullptr);
    loop_.delete_later(std::move(connection_));
  }

  std::unique_ptr<ClientConnection> connection_;
  bool is_head_ = false, refused_ = false;
};

class RoughServer final : public ServerConnectionHandler,
                          public ServerExchangeHandler,
                          private RoughSide<ServerExchange> {
 public:
  RoughServer(io::Loop& loop, Random& random, Counts& counts, std::unique_ptr<io::Stream> stream)
      : RoughSide(loop, random, counts) {
    connection_ = make_http1_server_connection(loop, std::move(stream), *this, {}, "");
  }
  bool over() const { return connection_ == nullptr; }

 private:
  ServerExchangeHandler& request_begins(ServerExchange& exchange, codec::RequestHead&& head,
                                        bool end) override {
    EXPECT_EQ(exchange_, nullptr);
    exchange_ = &exchange;
    number_ = parse_number<std::uint64_t>(head.target.substr(1)).value();
    expected_ = pattern(number_, parse_number<std::size_t>(*head.headers.get("x-bytes")).value());
    body_.clear();
    if (random_.below(4) == 0) exchange.send_head(response(103), false);
    if (end) respond();
    return *this;
  }
  void respond() {
    draw_body();
    codec::ResponseHead head = response(200, {{"X-Bytes", std::to_string(to_send_.size())}});
    if (random_.below(2) == 0) head.headers.add("Content-Length", std::to_string(to_send_.size()));
    if (random_.below(16) == 0) exchange_->close_after();
    ending_ = to_send_.empty();
    exchange_->send_head(head, ending_);
    push();
  }
  void request_body(std::string_view bytes) override { take(bytes); }
  void request_end(const codec::Headers&) override { respond(); }
  void response_drained() override { push(); }
  void exchange_finished() override {
    exchange_ = nullptr;
    ++counts_.finished;
    if (body_ != expected_) ++counts_.wrong;
  }
  void exchange_aborted(const Error&) override {
    exchange_ = nullptr;
    ++counts_.aborted;
  }
  void connection_closed(const Error*) override {
    EXPECT_EQ(exchange_, nullptr);
    loop_.delete_later(std::move(connection_));
  }

  std::unique_ptr<ServerConnection> connection_;
};

void run(std::uint64_t seed, const sim::NetworkOptions& options, Counts& client, Counts& server) {
  SCOPED_TRACE(str_cat("seed ", seed));
  sim::SimNetwork network(seed, options);
  sim::SimLoop& here = network.add_loop({IpAddress::parse("198.18.0.1").value()});
  sim::SimLoop& there = network.add_loop({IpAddress::parse("198.18.0.2").value()});
  SeededRandom random(seed + 1);
  std::unique_ptr<RoughServer> serving;
  std::unique_ptr<RoughClient> asking;
  bool refused = false;
  const auto listener = there.listen({IpAddress::parse("198.18.0.2").value(), 80}, {}, [&](auto stream) {
    serving = std::make_unique<RoughServer>(there, random, server, std::move(stream));
  });
  const auto connecting = here.connect((*listener)->local_address(), {}, [&](auto stream) {
    refused = !stream;
    if (stream) asking = std::make_unique<RoughClient>(here, random, client, std::move(*stream));
  });
  EXPECT_TRUE(network.run_until(
      [&] { return refused || (asking && asking->over() && (!serving || serving->over())); },
      std::chrono::hours(2)));
  EXPECT_LE(network.open_connections(), 1u);
}

TEST(Http1Rough, EveryExchangeFinishesOverANetworkThatOnlyCutsAndDelays) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    sim::NetworkOptions options;
    options.chunk_bytes_max = seed % 3 == 0 ? 7 : 16 * 1024;
    Counts client, server;
    if (options.chunk_bytes_max == 7) client.large_bytes = server.large_bytes = 3000;
    run(seed, options, client, server);
    EXPECT_EQ(client.aborted + server.aborted, 0) << seed;
    EXPECT_EQ(client.wrong + server.wrong, 0) << seed;
    EXPECT_EQ(client.finished, server.finished) << seed;
    EXPECT_GT(client.finished, 0) << seed;
  }
}

TEST(Http1Rough, NothingWrongFinishesOverANetworkThatBreaks) {
  int aborted = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    sim::NetworkOptions options;
    options.reset_chance = 0.003;
    options.truncate_chance = 0.003;
    options.stall_chance = 0.01;
    Counts client, server;
    run(seed, options, client, server);
    EXPECT_EQ(client.wrong + server.wrong, 0) << seed;
    aborted += client.aborted + server.aborted;
  }
  EXPECT_GT(aborted, 10) << "the network broke nothing, so this proved nothing";
}

// What every idle connection costs, beside its stream.
TEST(Http1Size, ConnectionsStaySmall) {
  EXPECT_LE(sizeof(Http1ServerConnection), 832u);
  EXPECT_LE(sizeof(Http1ClientConnection), 800u);
}

}  // namespace
}  // namespace weft::http
