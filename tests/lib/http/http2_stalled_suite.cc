// A pool towards a server of HTTP/2 that does not read a body: it holds up as few others as may be.
#include <gtest/gtest.h>

#include "http/pool.h"
#include "tests/lib/http/http2_fixture.h"
#include "tests/support/http2_frame.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

// Servers that say SETTINGS and no more: their connections' windows stay as they are at first.
class Http2StalledPool : public Http2Suite {
 protected:
  static constexpr std::size_t first_window_bytes = 65535;  // RFC 9113 § 6.9.2

  Http2StalledPool() {
    listener_ = *loop().listen(loopback(0), {}, [this](std::unique_ptr<io::Stream> stream) {
      constexpr std::uint8_t settings = 4;
      // Each stream's own window is wide (SETTINGS_INITIAL_WINDOW_SIZE).
      stream->write(test::raw_frame(settings, 0, 0, std::string("\x00\x04\x7f\x00\x00\x00", 6)));
      servers_.push_back(std::make_unique<test::StreamRecorder>(std::move(stream)));
    });
  }
  Lease& lease() {
    const std::size_t before = leases_.size();
    const auto connect = [this](Pool::ConnectDone done) {
      return loop().connect(listener_->local_address(), {}, std::move(done));
    };
    const auto request = pool_.acquire(
        "a", HttpProtocol::http2, connect,
        [this](Result<Lease> lease) {
          if (lease) leases_.push_back(std::make_unique<Lease>(*std::move(lease)));
        },
        PoolAccount{load_.get(), limits_});
    EXPECT_TRUE(run_until([&] { return leases_.size() > before; }));
    return *leases_.back();
  }
  // An upload of so many bytes, as far as the server lets it.
  void upload(Lease& lease, std::size_t bytes) {
    uploads_.push_back(std::make_unique<SentRequest>());
    ClientExchange& exchange = lease.connection().request(request("POST", "/"), false, *uploads_.back());
    exchange.send_body(std::string(bytes, 'u'));
    exchange.send_end({});
    run_for(20ms);
  }

  std::shared_ptr<policy::ServiceLoad> load_ = std::make_shared<policy::ServiceLoad>();
  policy::ServiceLimits limits_{.connections = 1024, .pending = 1024, .requests = 1024};
  Pool pool_{loop()};
  std::vector<std::unique_ptr<test::StreamRecorder>> servers_;
  std::vector<std::unique_ptr<SentRequest>> uploads_;
  std::vector<std::unique_ptr<Lease>> leases_;
};

TEST_F(Http2StalledPool, ABodyThatIsNotReadKeepsOthersFromItsConnection) {
  upload(lease(), 100'000);
  EXPECT_TRUE(leases_.front()->connection().stalled());
  upload(lease(), 10);
  EXPECT_EQ(pool_.connections(), 2u);
  EXPECT_NE(&leases_[0]->connection(), &leases_[1]->connection());
  lease();
  EXPECT_EQ(pool_.connections(), 2u) << "the second has room";
}

TEST_F(Http2StalledPool, ItIsUsedAgainOnceItsWindowOpens) {
  upload(lease(), 100'000);
  constexpr std::uint8_t window_update = 8;
  servers_.front()->stream->write(test::raw_frame(window_update, 0, 0, std::string("\x00\x01\x00\x00", 4)));
  ASSERT_TRUE(run_until([this] { return !leases_.front()->connection().stalled(); }));
  lease();
  EXPECT_EQ(pool_.connections(), 1u);
}

TEST_F(Http2StalledPool, SmallBodiesOfWhichSomeAreReadStayTogether) {
  upload(lease(), first_window_bytes / 2);
  upload(lease(), 10);
  EXPECT_EQ(pool_.connections(), 1u);
}

TEST_F(Http2StalledPool, WhereNoOtherMayBeMadeItIsUsedStill) {
  limits_.connections = 1;
  upload(lease(), 100'000);
  lease();
  EXPECT_EQ(&leases_[0]->connection(), &leases_[1]->connection());
  limits_ = {.connections = 1024, .pending = 0, .requests = 1024};
  lease();
  EXPECT_EQ(&leases_[0]->connection(), &leases_[2]->connection()) << "nobody may wait for another";
}

}  // namespace
}  // namespace weft::http
