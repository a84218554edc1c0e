// A pool under the limits of a Service.
#include "tests/lib/http/pool_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

class HttpPoolLimits : public HttpPool {
 protected:
  struct Waiter {
    std::unique_ptr<PoolRequest> request;
    std::optional<Lease> lease;
    std::optional<Error> error;
    bool done() const { return lease || error; }
  };
  std::unique_ptr<Waiter> ask(std::string_view key = "a", std::uint16_t port = 0) {
    auto waiter = std::make_unique<Waiter>();
    waiter->request = pool_.acquire(
        key, HttpProtocol::http1, port == 0 ? connect() : connect_to(port),
        [&waiter = *waiter](Result<Lease> result) {
          if (result)
            waiter.lease.emplace(*std::move(result));
          else
            waiter.error = result.error();
        },
        PoolAccount{load_.get(), {.connections = most_, .pending = 2, .requests = 1024}});
    return waiter;
  }
  std::uint32_t pending() const { return load_->pending; }
  std::uint32_t connected() const { return load_->connections; }

  std::uint32_t most_ = 1;
  std::shared_ptr<policy::ServiceLoad> load_ = std::make_shared<policy::ServiceLoad>();
};

TEST_F(HttpPoolLimits, ARequestBeyondTheConnectionsWaitsForOneOfItsKeyInTurn) {
  const auto first = ask();
  EXPECT_EQ(pending(), 1u) << "it waits until it is connected";
  ASSERT_TRUE(run_until([&] { return first->done(); }));
  EXPECT_EQ(pending(), 0u);
  const auto second = ask();
  const auto third = ask();
  run_for(20ms);
  EXPECT_FALSE(second->done() || third->done());
  EXPECT_EQ(pending(), 2u);
  first->lease.reset();
  ASSERT_TRUE(run_until([&] { return second->done(); }));
  ASSERT_TRUE(second->lease);
  EXPECT_TRUE(second->lease->reused());
  EXPECT_FALSE(third->done());
  second->lease.reset();
  ASSERT_TRUE(run_until([&] { return third->done(); }));
  EXPECT_TRUE(third->lease);
  EXPECT_EQ(connects_, 1);
  EXPECT_EQ(pending(), 0u);
}

TEST_F(HttpPoolLimits, WhoWouldBeOneTooManyToWaitIsRefused) {
  const auto first = ask();
  ASSERT_TRUE(run_until([&] { return first->done(); }));
  const auto second = ask();
  auto third = ask();
  const auto fourth = ask();
  ASSERT_TRUE(run_until([&] { return fourth->done(); }));
  ASSERT_TRUE(fourth->error);
  EXPECT_EQ(fourth->error->code, Code::limit);
  third.reset();
  EXPECT_EQ(pending(), 1u) << "who goes away does not wait";
  first->lease.reset();
  ASSERT_TRUE(run_until([&] { return second->done(); }));
}

TEST_F(HttpPoolLimits, WhoMayNotQueueGivesItsPlaceToOthersAndWaitsForAConnectionBeingMadeAllTheSame) {
  const auto first = ask();
  first->request->stop_queueing();
  ASSERT_TRUE(run_until([&] { return first->done(); }));
  EXPECT_TRUE(first->lease);
  const auto second = ask();
  const auto third = ask();
  second->request->stop_queueing();
  EXPECT_FALSE(second->done()) << "never inline";
  ASSERT_TRUE(run_until([&] { return second->done(); }));
  ASSERT_TRUE(second->error);
  EXPECT_EQ(second->error->code, Code::limit);
  EXPECT_EQ(pending(), 1u);
  const auto fourth = ask();
  run_for(20ms);
  EXPECT_FALSE(fourth->done()) << "it has the place of the second";
  first->lease.reset();
  ASSERT_TRUE(run_until([&] { return third->done(); }));
  third->lease.reset();
  ASSERT_TRUE(run_until([&] { return fourth->done(); }));
  EXPECT_TRUE(third->lease || fourth->lease);
}

TEST_F(HttpPoolLimits, AKeyWithoutAConnectionGetsItsFirstWhateverTheLimit) {
  const auto first = ask("a");
  const auto other = ask("b");
  ASSERT_TRUE(run_until([&] { return first->done() && other->done(); }));
  EXPECT_TRUE(first->lease && other->lease);
  EXPECT_EQ(connected(), 2u);
}

TEST_F(HttpPoolLimits, AConnectionThatClosesMakesRoomForTheNextInTurn) {
  const auto first = ask();
  ASSERT_TRUE(run_until([&] { return first->done(); }));
  const auto second = ask();
  run_for(20ms);
  servers_[0]->connection.reset();
  ASSERT_TRUE(run_until([&] { return second->done(); }));
  ASSERT_TRUE(second->lease);
  EXPECT_FALSE(second->lease->reused());
  EXPECT_EQ(connects_, 2);
  EXPECT_EQ(connected(), 1u);
}

// Its own may be in use for long, as that of a tunnel is.
TEST_F(HttpPoolLimits, APlaceThatComesFreeElsewhereIsForWhoeverWaits) {
  most_ = 2;
  const auto other = ask("a");
  const auto own = ask("b");
  ASSERT_TRUE(run_until([&] { return other->done() && own->done(); }));
  const auto waiting = ask("b");
  run_for(150ms);
  EXPECT_FALSE(waiting->done());
  servers_[0]->connection.reset();
  ASSERT_TRUE(run_until([&] { return waiting->done(); }));
  EXPECT_TRUE(waiting->lease);
}

// That one takes no more since long: its end is noticed all the same, not by the clock.
TEST_F(HttpPoolLimits, ThePlaceOfARetiredConnectionIsForWhoeverWaitsAsSoonAsItCloses) {
  most_ = 2;
  const auto other = ask("a");
  const auto own = ask("b");
  ASSERT_TRUE(run_until([&] { return other->done() && own->done(); }));
  pool_.retire_if([](std::string_view key) { return key == "a"; });
  const auto waiting = ask("b");
  run_for(120ms);
  EXPECT_FALSE(waiting->done());
  const MonotonicTime start = loop().now();
  other->lease.reset();
  ASSERT_TRUE(run_until([&] { return waiting->done(); }));
  EXPECT_TRUE(waiting->lease);
  EXPECT_LT(loop().now() - start, 70ms) << "the next look would be 80 ms later";
}

TEST_F(HttpPoolLimits, APlaceThatAnotherWorkerGivesBackIsFoundSoon) {
  most_ = 2;
  policy::ConnectionPlace of_another_worker;
  ASSERT_TRUE(of_another_worker.take(*load_, most_, false));
  const auto own = ask("b");
  ASSERT_TRUE(run_until([&] { return own->done(); }));
  const auto waiting = ask("b");
  run_for(150ms);
  EXPECT_FALSE(waiting->done());
  EXPECT_EQ(pending(), 1u);
  of_another_worker.give_back();
  ASSERT_TRUE(run_until([&] { return waiting->done(); }));
  EXPECT_TRUE(waiting->lease);
}

TEST_F(HttpPoolLimits, WhereNothingConnectsNobodyWaits) {
  const std::uint16_t nobody = loop().listen(loopback(0), {}, [](auto) {}).value()->local_address().port;
  const auto first = ask("a", nobody);
  const auto second = ask("a", nobody);
  ASSERT_TRUE(run_until([&] { return first->done() && second->done(); }));
  EXPECT_TRUE(first->error && second->error);
  EXPECT_NE(second->error->code, Code::limit);
  EXPECT_EQ(connected(), 0u);
  EXPECT_EQ(pending(), 0u);
}

TEST_F(HttpPoolLimits, ADroppedAttemptLetsTheNextTry) {
  auto first = ask();
  const auto second = ask();
  first.reset();
  ASSERT_TRUE(run_until([&] { return second->done(); }));
  EXPECT_TRUE(second->lease);
  EXPECT_EQ(connected(), 1u);
}

TEST_F(HttpPoolLimits, WhatIsIdleCountsUntilItCloses) {
  const auto first = ask();
  ASSERT_TRUE(run_until([&] { return first->done(); }));
  use(*first->lease);
  first->lease.reset();
  EXPECT_EQ(connected(), 1u);
  EXPECT_TRUE(run_until([&] { return connected() == 0; }));
}

}  // namespace
}  // namespace weft::http
