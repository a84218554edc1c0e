#include "tests/lib/http/pool_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

// Connects when the test says so.
struct Controlled {
  Pool::Connect connect() {
    return [this](Pool::ConnectDone its_done) {
      done.emplace_back(std::move(its_done));
      return std::make_unique<io::Connecting>();
    };
  }
  std::vector<Pool::ConnectDone> done;
};

TEST_F(HttpPool, AnAttemptThatEndsInTheTurnInWhichItsLastWaiterLeftIsForgottenOnce) {
  Controlled controlled;
  auto request = pool_.acquire("a", HttpProtocol::http1, controlled.connect(),
                               [](const Result<Lease>&) { FAIL() << "it was given up"; });
  request.reset();
  controlled.done.front()(fail(Code::refused, "late"));
  run_for(1ms);
  EXPECT_EQ(pool_.connections(), 0u);
}

TEST_F(HttpPool, AWaiterThatIsDroppedByAnotherWaitersCallbackIsNotCalled) {
  Controlled controlled;
  std::unique_ptr<PoolRequest> second;
  int calls = 0;
  const auto first = pool_.acquire("a", HttpProtocol::http2, controlled.connect(), [&](const Result<Lease>&) {
    ++calls;
    second.reset();
  });
  second =
      pool_.acquire("a", HttpProtocol::http2, controlled.connect(), [&](const Result<Lease>&) { ++calls; });
  ASSERT_EQ(controlled.done.size(), 1u) << "they share one";
  controlled.done.front()(fail(Code::refused, "no"));
  run_for(1ms);
  EXPECT_EQ(calls, 1);
}

TEST_F(HttpPool, GivesAConnectionBackForTheSameKeyOnly) {
  use("a");
  EXPECT_EQ(pool_.idle_connections(), 1u);
  {
    auto again = lease("a");
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->reused());
    EXPECT_EQ(pool_.idle_connections(), 0u);
    use(*again);
  }
  EXPECT_EQ(connects_, 1);
  use("b");
  EXPECT_EQ(connects_, 2);
  EXPECT_EQ(pool_.connections(), 2u);
}

TEST_F(HttpPool, GivesEachOfTwoAtOnceItsOwn) {
  auto first = lease();
  auto second = lease();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(first->reused() || second->reused());
  EXPECT_EQ(pool_.connections(), 2u);
}

TEST_F(HttpPool, ForgetsAConnectionThatThePeerCloses) {
  use();
  servers_[0]->connection.reset();
  EXPECT_TRUE(run_until([&] { return pool_.connections() == 0; }));
  EXPECT_EQ(pool_.idle_connections(), 0u);
}

TEST_F(HttpPool, LetsGoOfWhatNobodyUses) {
  use();
  EXPECT_EQ(pool_.connections(), 1u);
  EXPECT_TRUE(run_until([&] { return pool_.connections() == 0; }));
  EXPECT_TRUE(run_until([&] { return servers_[0]->closes == 1; }));
}

TEST_F(HttpPool, UsesTheMostRecentFirst) {
  std::optional<Lease> first = lease();
  std::optional<Lease> second = lease();
  const ClientConnection* const later = &second->connection();
  first.reset();
  second.reset();
  EXPECT_EQ(pool_.idle_connections(), 2u);
  const auto next = lease();
  EXPECT_EQ(&next->connection(), later);
}

TEST_F(HttpPool, ALeaseDroppedWithinTheLastCallbackGivesTheConnectionBack) {
  std::optional<Lease> leased = lease();
  ClientSide user(loop());
  user.open = true;
  user.on = [&](std::string_view event) {
    if (event == "finished") leased.reset();
  };
  leased->connection().request(request("GET", "/"), true, user);
  ASSERT_TRUE(run_until([&] { return user.finishes == 1; }));
  EXPECT_EQ(pool_.idle_connections(), 1u);
}

TEST_F(HttpPool, AConnectionThatClosedWhileLeasedIsNotGivenAgain) {
  std::optional<Lease> leased = lease();
  run_for(30ms);
  servers_[0]->connection.reset();
  run_for(30ms);
  EXPECT_FALSE(leased->connection().available());
  ClientSide user(loop());
  user.open = true;
  leased->connection().request(request("GET", "/"), true, user);
  EXPECT_TRUE(run_until([&] { return user.aborts == 1; }));
  EXPECT_EQ(user.delivery, Delivery::never);
  leased.reset();
  EXPECT_TRUE(run_until([&] { return pool_.connections() == 0; }));
}

TEST_F(HttpPool, PassesOnWhyItCannotConnect) {
  const std::uint16_t port = listener_->local_address().port;
  listener_.reset();
  std::optional<Error> error;
  const auto request = pool_.acquire("a", HttpProtocol::http1, connect_to(port), [&](Result<Lease> result) {
    ASSERT_FALSE(result);
    error = result.error();
  });
  ASSERT_TRUE(run_until([&] { return error.has_value(); }));
  EXPECT_EQ(error->code, Code::refused);
  EXPECT_EQ(pool_.connections(), 0u);
}

TEST_F(HttpPool, AnAbandonedAttemptServesNobody) {
  std::optional<Error> error;
  const auto request = pool_.acquire("a", HttpProtocol::http1, connect(), [&](const Result<Lease>& result) {
    ASSERT_FALSE(result);
    error = result.error();
  });
  pool_.abandon_attempts();
  ASSERT_TRUE(run_until([&] { return error.has_value(); }));
  EXPECT_EQ(error->code, Code::refused);
  EXPECT_TRUE(lease()) << "what is begun later is not concerned";
}

TEST_F(HttpPool, CancellingRunsNothing) {
  bool ran = false;
  auto connecting = pool_.acquire("a", HttpProtocol::http1, connect(), [&](Result<Lease>) { ran = true; });
  connecting.reset();
  use("b");
  auto found = pool_.acquire("b", HttpProtocol::http1, connect(), [&](Result<Lease>) { ran = true; });
  EXPECT_EQ(pool_.idle_connections(), 0u);
  found.reset();
  EXPECT_EQ(pool_.idle_connections(), 1u);
  run_for(30ms);
  EXPECT_FALSE(ran);
}

TEST_F(HttpPool, ARequestMayBeDestroyedInItsOwnCallback) {
  for (const bool found : {false, true}) {
    std::unique_ptr<PoolRequest> request;
    const std::string text(100, 'x');  // what the callback owns is still there afterwards
    std::string seen;
    request =
        pool_.acquire("a", HttpProtocol::http1, connect(), [&request, &seen, text](Result<Lease> result) {
          request.reset();
          if (result) seen = text;
        });
    ASSERT_TRUE(run_until([&] { return !seen.empty(); }));
    EXPECT_EQ(seen, text);
    EXPECT_EQ(pool_.idle_connections(), 1u) << found;
  }
  EXPECT_EQ(connects_, 1);
}

TEST_F(HttpPool, RetiresAConnectionAtTheEndOfItsLifetimeButCutsNoExchange) {
  PoolOptions options;
  options.lifetime = [](const io::Stream&) { return Duration(200ms); };
  options.idle_timeout = 1h;
  Pool mortal(loop(), std::move(options));
  const auto take = [&] {
    std::optional<Lease> got;
    const auto request = mortal.acquire("a", HttpProtocol::http1, connect(),
                                        [&](Result<Lease> lease) { got.emplace(*std::move(lease)); });
    EXPECT_TRUE(run_until([&] { return got.has_value(); }));
    return got;
  };
  std::optional<Lease> idle = take();
  std::optional<Lease> used = take();
  idle.reset();
  EXPECT_TRUE(take()->reused());
  EXPECT_EQ(mortal.idle_connections(), 1u);
  EXPECT_TRUE(run_until([&] { return mortal.idle_connections() == 0; }));
  EXPECT_TRUE(run_until([&] { return mortal.connections() == 1; })) << "what is in use stays";
  use(*used);
  used.reset();
  EXPECT_TRUE(run_until([&] { return mortal.connections() == 0; }));
  EXPECT_FALSE(take()->reused());
}

// The server closes an idle connection after a second; nobody said so.
TEST_F(HttpPool, LearnsHowLongAPeerLeavesAConnectionIdle) {
  Pool patient(loop(), {.idle_timeout = 1h});
  const auto used = [&] {
    std::optional<Lease> got;
    const auto request = patient.acquire("a", HttpProtocol::http1, connect(),
                                         [&](Result<Lease> lease) { got.emplace(*std::move(lease)); });
    EXPECT_TRUE(run_until([&] { return got.has_value(); }));
    use(*got);
  };
  used();
  run_for(1s);
  servers_[0]->connection.reset();
  ASSERT_TRUE(run_until([&] { return patient.connections() == 0; }));
  used();
  ServerSide& second = *servers_[1];
  run_for(100ms);
  EXPECT_EQ(patient.idle_connections(), 1u) << "a tenth of the time is no danger";
  EXPECT_TRUE(run_until([&] { return patient.connections() == 0; })) << "let go before the server would";
  EXPECT_TRUE(run_until([&] { return second.closes == 1; }));
}

TEST_F(HttpPool, LetsGoOfAllThatIsIdleWhereARequestCrossedAClose) {
  Pool patient(loop(), {.idle_timeout = 1h});
  std::optional<Lease> first, second;
  const auto a = patient.acquire("a", HttpProtocol::http1, connect(),
                                 [&](Result<Lease> lease) { first.emplace(*std::move(lease)); });
  const auto b = patient.acquire("a", HttpProtocol::http1, connect(),
                                 [&](Result<Lease> lease) { second.emplace(*std::move(lease)); });
  ASSERT_TRUE(run_until([&] { return first && second; }));
  use(*first);
  use(*second);
  first.reset();
  ClientSide user(loop());
  user.open = true;
  // Found dead only with the request on it: the server answers with its close.
  for (const auto& server : servers_) {
    server->on = [&server = *server](std::string_view event) {
      if (event == "begins") server.connection->close(Error{Code::closed, "gone"});
    };
  }
  second->connection().request(request("GET", "/"), true, user);
  ASSERT_TRUE(run_until([&] { return user.aborts == 1; }));
  EXPECT_EQ(user.delivery, Delivery::raced);
  second.reset();
  EXPECT_TRUE(run_until([&] { return patient.connections() == 0; }));
}

TEST_F(HttpPool, RefusesAboveItsLimit) {
  Pool small(loop(), {.connections_max = 1});
  std::vector<Result<Lease>> results;
  const auto first = small.acquire("a", HttpProtocol::http1, connect(),
                                   [&](Result<Lease> result) { results.push_back(std::move(result)); });
  const auto second = small.acquire("b", HttpProtocol::http1, connect(),
                                    [&](Result<Lease> result) { results.push_back(std::move(result)); });
  EXPECT_TRUE(results.empty()) << "never inline";
  ASSERT_TRUE(run_until([&] { return results.size() == 2; }));
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error().code, Code::limit);
  EXPECT_TRUE(results[1]);
}

TEST_F(HttpPool, RetiresTheChosenKeysNowAndWhenTheyComeBack) {
  use("gone");
  use("stays");
  std::optional<Lease> used = lease("gone too");
  bool connected = false;
  std::optional<Lease> late;
  const auto under_way =
      pool_.acquire("gone three", HttpProtocol::http1, connect(), [&](Result<Lease> result) {
        connected = true;
        late.emplace(*std::move(result));
      });
  pool_.retire_if([](std::string_view key) { return key.starts_with("gone"); });
  EXPECT_EQ(pool_.idle_connections(), 1u);
  use(*used);
  used.reset();
  ASSERT_TRUE(run_until([&] { return connected; }));
  use(*late);
  late.reset();
  EXPECT_TRUE(run_until([&] { return pool_.connections() <= 1; }));
  EXPECT_EQ(connects_, 4);
  pool_.retire_all();
  EXPECT_TRUE(run_until([&] { return pool_.connections() == 0; }));
}

}  // namespace
}  // namespace weft::http
