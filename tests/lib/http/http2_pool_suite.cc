// HTTP/2 connections in a pool, on either loop.
#include <functional>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "http/pool.h"
#include "tests/lib/http/http2_fixture.h"
#include "tests/support/http2_frame.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

class Http2Pool : public Http2Suite {
 protected:
  void listen() {
    listener_ = *loop().listen(loopback(0), {}, [this](std::unique_ptr<io::Stream> stream) {
      servers_.push_back(std::make_unique<Http2ServerSide>(loop()));
      servers_.back()->take(std::move(stream));
    });
  }
  // Servers that say how many requests they take (SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113 § 6.5.2), when
  // they are told to, and no more.
  void listen_silently() {
    listener_ = *loop().listen(loopback(0), {}, [this](std::unique_ptr<io::Stream> stream) {
      silent_.push_back(std::make_unique<test::StreamRecorder>(std::move(stream)));
    });
  }
  void say_room(test::StreamRecorder& server, char requests) {
    constexpr std::uint8_t settings = 4;
    server.stream->write(test::raw_frame(settings, 0, 0, std::string("\x00\x03\x00\x00\x00", 5) + requests));
  }
  PoolAccount limited_to(std::uint32_t connections) const {
    return {load_.get(), {.connections = connections, .pending = 8, .requests = 8}};
  }
  std::unique_ptr<PoolRequest> acquire(PoolAccount account = {}, const std::function<void()>& then = {}) {
    const auto connect = [this](Pool::ConnectDone done) {
      return loop().connect(listener_->local_address(), {}, std::move(done));
    };
    const auto done = [this, then](Result<Lease> lease) {
      ASSERT_TRUE(lease);
      leases_.push_back(*std::move(lease));
      if (then) then();
    };
    return pool_.acquire("a", HttpProtocol::http2, connect, done, account);
  }
  // As many leases at once as `count` says.
  void take(std::size_t count) {
    const std::size_t before = leases_.size();
    std::vector<std::unique_ptr<PoolRequest>> requests;
    for (std::size_t i = 0; i < count; ++i) requests.push_back(acquire());
    ASSERT_TRUE(run_until([&] { return leases_.size() == before + count; }));
  }

  Pool pool_{loop()};
  std::vector<std::unique_ptr<Http2ServerSide>> servers_;
  std::vector<std::unique_ptr<test::StreamRecorder>> silent_;
  std::vector<Lease> leases_;
  const std::shared_ptr<policy::ServiceLoad> load_ = std::make_shared<policy::ServiceLoad>();
};

TEST_F(Http2Pool, ThoseWhoAskAtOnceShareTheConnectionThatIsBeingMade) {
  listen();
  take(limits::http2_streams_max);
  EXPECT_EQ(pool_.connections(), 1u);
  take(1);
  EXPECT_EQ(pool_.connections(), 2u) << "beyond its streams another one is made";
  leases_.clear();
  take(1);
  EXPECT_EQ(pool_.connections(), 2u);
  EXPECT_TRUE(leases_.front().reused());
}

TEST_F(Http2Pool, OneWhoGoesAwayLeavesTheAttemptToTheOthers) {
  listen();
  auto first = acquire();
  const auto second = acquire();
  first.reset();
  ASSERT_TRUE(run_until([&] { return leases_.size() == 1; }));
  EXPECT_EQ(pool_.connections(), 1u);
}

TEST_F(Http2Pool, AConnectionThatIsToldToGoIsNotUsedAgainAndFinishesWhatItCarries) {
  listen();
  take(1);
  SentRequest sent;
  sent.exchange = &leases_.front().connection().request(request("GET", "/"), true, sent);
  ASSERT_TRUE(run_until([&] { return !servers_.empty() && !servers_.front()->requests.empty(); }));
  servers_.front()->connection->drain();
  ASSERT_TRUE(run_until([&] { return leases_.front().connection().requests_max() == 0; }));
  take(1);
  EXPECT_EQ(pool_.connections(), 2u);
  servers_.front()->requests.front()->reply(200, "done");
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  leases_.clear();
  EXPECT_TRUE(run_until([&] { return pool_.connections() == 1; }));
}

// A Service's limit holds no request back for the sake of a connection that takes none.
TEST_F(Http2Pool, WhereTheOnlyConnectionAllowedTakesNoMoreAnotherIsMade) {
  listen();
  const PoolAccount account = limited_to(1);
  const auto first = acquire(account);
  ASSERT_TRUE(run_until([&] { return leases_.size() == 1; }));
  SentRequest sent;
  sent.exchange = &leases_.front().connection().request(request("GET", "/"), true, sent);
  ASSERT_TRUE(run_until([&] { return !servers_.empty() && !servers_.front()->requests.empty(); }));
  servers_.front()->connection->drain();
  ASSERT_TRUE(run_until([&] { return leases_.front().connection().requests_max() == 0; }));
  EXPECT_TRUE(leases_.front().connection().told_to_go() == false) << "it has answered nothing";
  const auto second = acquire(account);
  EXPECT_TRUE(run_until([&] { return leases_.size() == 2; }));
  servers_.front()->requests.front()->reply(200, "done");
  EXPECT_TRUE(over(sent));
}

// The same, told to go in the turn in which a request that found it takes it.
TEST_F(Http2Pool, WhereTheOnlyConnectionAllowedGoesInTheTurnInWhichItIsTakenAnotherIsMade) {
  listen();
  const PoolAccount account = limited_to(1);
  const auto first = acquire(account);
  ASSERT_TRUE(run_until([&] { return leases_.size() == 1; }));
  run_for(20ms);  // SETTINGS
  const auto second = acquire(account);
  const auto third = acquire(account);
  leases_.front().connection().drain();
  EXPECT_TRUE(run_until([&] { return leases_.size() == 3; }));
  EXPECT_TRUE(run_until([&] { return load_->connections == 1; }));
}

TEST_F(Http2Pool, WhoWaitsForThePeerToSayHowManyItTakesDoesNotQueue) {
  listen_silently();
  const PoolAccount account = limited_to(1);
  const auto first = acquire(account);
  const auto second = acquire(account);
  const auto third = acquire(account);
  ASSERT_TRUE(run_until([&] { return leases_.size() == 1; }));
  second->stop_queueing();
  run_for(250ms);  // within which it is looked for places that other workers gave back
  EXPECT_FALSE(second->queueing() || third->queueing());
  EXPECT_EQ(leases_.size(), 1u) << "nothing is known yet";
  say_room(*silent_.front(), 2);
  ASSERT_TRUE(run_until([&] { return leases_.size() == 2 && third->queueing(); }));
  leases_.pop_back();
  EXPECT_TRUE(run_until([&] { return leases_.size() == 2; }));
  EXPECT_EQ(silent_.size(), 1u);
}

// None of them waits to be found by the clock, and none is passed by another.
TEST_F(Http2Pool, ABurstToApplicationsOfOneRequestGetsAConnectionEachInTurnAndAtOnce) {
  listen_silently();
  const PoolAccount account = limited_to(8);
  std::vector<std::unique_ptr<PoolRequest>> requests;
  std::vector<int> order;
  requests.reserve(8);
  for (int i = 0; i < 8; ++i) requests.push_back(acquire(account, [&order, i] { order.push_back(i); }));
  const MonotonicTime start = loop().now();
  std::size_t told = 0;
  EXPECT_TRUE(run_until([&] {
    while (told < silent_.size()) say_room(*silent_[told++], 1);
    return leases_.size() == 8;
  }));
  EXPECT_EQ(silent_.size(), 8u);
  EXPECT_LT(loop().now() - start, 100ms);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(Http2Pool, AConnectionThatTookNoMoreIsNotUsedAgainWhereItsPeerChangesItsMind) {
  listen_silently();
  take(1);
  say_room(*silent_.front(), 0);
  ASSERT_TRUE(run_until([&] { return leases_.front().connection().requests_max() == 0; }));
  run_for(20ms);
  say_room(*silent_.front(), 9);
  run_for(20ms);
  take(1);
  EXPECT_EQ(silent_.size(), 2u);
}

TEST_F(Http2Pool, ARetiredConnectionEndsWhenItsLastLeaseComesBack) {
  listen();
  take(2);
  pool_.retire_all();
  leases_.pop_back();
  run_for(20ms);
  EXPECT_EQ(pool_.connections(), 1u);
  leases_.clear();
  EXPECT_TRUE(run_until([&] { return pool_.connections() == 0; }));
}

}  // namespace
}  // namespace weft::http
