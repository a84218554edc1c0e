// Spare connections: who has one made, and who does not.
#include "tests/lib/http/pool_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

PoolOptions to_ours() {
  PoolOptions options;
  options.is_ours = [](const io::Stream&) { return true; };
  return options;
}

class HttpPoolSpares : public HttpPool {
 protected:
  HttpPoolSpares() : HttpPool(to_ours()) {}

  // Both connections that it makes are idle afterwards.
  void use_two() {
    const auto first = lease();
    const auto second = lease();
    EXPECT_EQ(connects_, 2);
  }
};

TEST_F(HttpPoolSpares, WhoTakesTheLastWhileAnotherIsInUseHasOneMadeForTheNext) {
  use_two();
  const auto first = lease();
  run_for(20ms);
  EXPECT_EQ(connects_, 2) << "one was left";
  const auto second = lease();
  ASSERT_TRUE(run_until([&] { return pool_.idle_connections() == 1; }));
  EXPECT_EQ(connects_, 3);
  const auto third = lease();
  EXPECT_TRUE(third->reused());
  ASSERT_TRUE(run_until([&] { return pool_.idle_connections() == 1; })) << "and so on";
  EXPECT_EQ(connects_, 4);
}

TEST_F(HttpPoolSpares, OneCallerAtATimeHasNone) {
  for (int i = 0; i < 3; ++i) use();
  run_for(20ms);
  EXPECT_EQ(connects_, 1);
}

TEST_F(HttpPoolSpares, OneIsMadeAtATimeAndItsFailureIsNobodys) {
  use_two();
  const auto first = lease();
  std::optional<Lease> second;
  std::vector<Pool::ConnectDone> attempts;
  const auto ask = [&] {
    return pool_.acquire(
        "a", HttpProtocol::http1,
        [&](Pool::ConnectDone done) {
          attempts.push_back(std::move(done));
          return std::make_unique<io::Connecting>();
        },
        [&](Result<Lease> result) { second.emplace(*std::move(result)); });
  };
  for (int i = 0; i < 2; ++i) {
    second.reset();
    const auto request = ask();
    ASSERT_TRUE(run_until([&] { return second.has_value(); }));
  }
  ASSERT_EQ(attempts.size(), 1u);
  attempts.front()(fail(Code::refused, "no"));
  run_for(20ms);
  EXPECT_EQ(pool_.connections(), 2u);
  second.reset();
  const auto request = ask();
  ASSERT_TRUE(run_until([&] { return second.has_value(); }));
  EXPECT_EQ(attempts.size(), 2u) << "the next need tries again";
}

TEST_F(HttpPoolSpares, TheyTakeNoMoreThanHalfOfWhatAServiceMayHave) {
  const auto load = std::make_shared<policy::ServiceLoad>();
  const auto connections_with = [&](std::uint32_t limit) {
    const PoolAccount account{load.get(), {.connections = limit, .pending = 10, .requests = 10}};
    {
      const auto first = lease("a", account);
      const auto second = lease("a", account);
    }
    const auto first = lease("a", account);
    const auto second = lease("a", account);
    run_for(20ms);
    return load->connections.load();
  };
  EXPECT_EQ(connections_with(5), 2u);
  EXPECT_EQ(connections_with(6), 3u);
}

// Each might hold up a server that serves one connection at a time.
TEST_F(HttpPool, MakesNoSpareToOthers) {
  {
    const auto first = lease();
    const auto second = lease();
  }
  const auto first = lease();
  const auto second = lease();
  run_for(20ms);
  EXPECT_EQ(connects_, 2);
}

}  // namespace
}  // namespace weft::http
