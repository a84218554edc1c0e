// The sidecar's end of the discovery stream against a discovery that a test plays, in virtual time.
#include "sidecar/config_client.h"

#include <set>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/text.h"
#include "http/grpc_server.h"
#include "tests/sim/sim_loop.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

Address address(unsigned number) {
  return Address::parse(str_cat("198.18.", number / 250, ".", number % 250 + 1, ":80")).value();
}

// Answers every address that is asked for, "nobody's", and takes away what is given back.
class FakeDiscovery {
 public:
  explicit FakeDiscovery(io::Loop& loop) : server_(loop) {
    server_.add_stream("/weft.v1.Discovery/Stream",
                       [this](const http::GrpcRequest&, http::GrpcServerStream& stream) {
                         return std::make_unique<Session>(*this, stream);
                       });
    listener_ = loop.listen(Address{IpAddress::parse("127.0.0.1").value(), 15011}, {},
                            [this](std::unique_ptr<io::Stream> stream) {
                              server_.accept(std::move(stream), http::GrpcPeer{});
                            })
                    .value();
  }

  std::set<std::string> wanted;
  std::vector<std::string> given_back;
  bool answers = true;
  std::string says_first;  // in front of its next answer

 private:
  class Session final : public http::GrpcStreamHandler {
   public:
    Session(FakeDiscovery& owner, http::GrpcServerStream& stream) : owner_(owner), stream_(stream) {}
    void message(std::string_view bytes) override {
      const auto message = kube::decode_sidecar_message(bytes).value();
      const auto* subscribe = std::get_if<kube::Subscribe>(&message);
      if (!subscribe) return;
      kube::Update update;
      update.nonce = ++nonce_;
      for (const std::string& text : subscribe->unsubscribe) {
        owner_.given_back.push_back(text);
        if (owner_.wanted.erase(text) > 0) update.removed.push_back("address/" + text);
      }
      for (const std::string& text : subscribe->addresses) {
        owner_.wanted.insert(text);
        policy::AddressOwner owner;
        owner.address = Address::parse(text).value();
        owner.kind = policy::AddressOwner::Kind::unknown_inside;
        update.resources.push_back({"address/" + text, "1", owner});
      }
      if (!owner_.says_first.empty()) stream_.send(std::exchange(owner_.says_first, {}));
      if (owner_.answers) stream_.send(kube::encode(update));
    }
    void half_closed() override {}
    void drained() override {}
    void closed(const codec::GrpcStatus&) override {}

   private:
    FakeDiscovery& owner_;
    http::GrpcServerStream& stream_;
    std::uint64_t nonce_ = 0;
  };

  http::GrpcServer server_;
  std::unique_ptr<io::Listener> listener_;
};

class ConfigClientTest : public testing::Test {
 protected:
  ConfigClientTest() {
    settings_.pod_ips = {IpAddress::parse("127.0.0.1").value()};
    client_ = std::make_unique<ConfigClient>(
        loop_, random_, settings_, store_, [this](http::GrpcChannel::ConnectDone done) {
          return loop_.connect(Address{IpAddress::parse("127.0.0.1").value(), 15011}, {}, std::move(done));
        });
    client_->start();
  }
  bool known(unsigned number) const { return store_.current()->owner(address(number)) != nullptr; }
  // As Sidecar does every minute.
  void pass(Duration time, const std::vector<Address>& in_use = {}) {
    for (; time > Duration::zero(); time -= 1min) {
      client_->used(in_use);
      client_->release_unused();
      loop_.advance(1min);
    }
  }

  sim::SimLoop loop_;
  SeededRandom random_{3};
  Settings settings_;
  policy::EndpointRegistry endpoints_;
  ConfigStore store_{"cluster.local", endpoints_, [](const std::shared_ptr<const Config>&) {}};
  FakeDiscovery discovery_{loop_};
  std::unique_ptr<ConfigClient> client_;
};

TEST_F(ConfigClientTest, GivesBackAnAddressThatNobodyDialsAndKeepsTheOthers) {
  for (const unsigned number : {1u, 2u, 3u}) client_->request(address(number));
  ASSERT_TRUE(loop_.run_until([&] { return known(1) && known(2) && known(3); }));
  pass(limits::address_unused_max - 2min, {address(2)});
  EXPECT_TRUE(known(1) && known(2) && known(3));
  pass(4min, {address(2)});
  EXPECT_FALSE(known(1) || known(3));
  EXPECT_TRUE(known(2));
  EXPECT_EQ(discovery_.wanted, std::set<std::string>{address(2).to_string()});
  EXPECT_EQ(store_.held().size(), 1u);
  EXPECT_EQ(store_.save().find(address(1).to_string()), std::string::npos) << "the cache forgets it as well";
  // And it is there again when somebody dials.
  client_->request(address(1));
  EXPECT_TRUE(loop_.run_until([&] { return known(1); }));
}

TEST_F(ConfigClientTest, WhatComesBehindAnUpdateThatCannotBeReadIsLeftToTheNextStream) {
  loop_.network().options().late_chance = 1;  // both come in one turn
  loop_.network().options().late_max = 10ms;
  discovery_.says_first = "\x0f nothing of weft.v1";
  client_->request(address(1));
  EXPECT_TRUE(loop_.run_until([&] { return known(1); }, 1min));
  EXPECT_EQ(client_->updates_refused(), 1u);
}

TEST_F(ConfigClientTest, ForgetsAQuestionThatDiscoveryNeverAnswered) {
  discovery_.answers = false;
  client_->request(address(1));
  loop_.advance(1s);
  EXPECT_EQ(store_.unanswered().size(), 1u);
  pass(limits::address_unused_max + 2min);
  EXPECT_TRUE(store_.unanswered().empty());
  EXPECT_TRUE(discovery_.wanted.empty());
}

TEST_F(ConfigClientTest, AnAddressThatIsUsedAgainAtOnceIsAnswered) {
  client_->request(address(1));
  ASSERT_TRUE(loop_.run_until([&] { return known(1); }));
  loop_.advance(2 * limits::address_unused_max);
  client_->release_unused();
  client_->request(address(1));  // known still: discovery has not taken it away
  EXPECT_TRUE(loop_.run_until([&] { return !known(1); }));
  client_->request(address(1));
  EXPECT_TRUE(loop_.run_until([&] { return known(1); }));
}

TEST_F(ConfigClientTest, WatchesTheUseOfWhatACacheBrought) {
  policy::AddressOwner owner;
  owner.address = address(9);
  owner.kind = policy::AddressOwner::Kind::unknown_inside;
  ConfigStore before("cluster.local", endpoints_, [](const std::shared_ptr<const Config>&) {});
  ASSERT_TRUE(before.apply(kube::Update{1, {{"address/" + address(9).to_string(), "1", owner}}, {}}));
  ASSERT_TRUE(store_.load(before.save()));
  ConfigClient restarted(loop_, random_, settings_, store_, [this](http::GrpcChannel::ConnectDone done) {
    return loop_.connect(Address{IpAddress::parse("127.0.0.1").value(), 15011}, {}, std::move(done));
  });
  restarted.start();
  loop_.advance(2 * limits::address_unused_max);
  restarted.release_unused();
  loop_.advance(1s);
  EXPECT_EQ(discovery_.given_back, std::vector<std::string>{address(9).to_string()});
}

TEST_F(ConfigClientTest, WhereThereIsNoRoomLeftTheLongestUnusedMakesSome) {
  constexpr unsigned full = 16'000;
  for (unsigned i = 0; i < full; ++i) client_->request(address(i));
  ASSERT_TRUE(loop_.run_until([&] { return known(full - 1); }));
  EXPECT_TRUE(store_.full());
  client_->used({address(0)});
  client_->request(address(full));
  client_->request(address(full + 1));
  EXPECT_TRUE(loop_.run_until([&] { return known(full) && known(full + 1); }));
  EXPECT_EQ(discovery_.given_back,
            (std::vector<std::string>{address(1).to_string(), address(2).to_string()}));
  EXPECT_TRUE(known(0));
  EXPECT_FALSE(known(1) || known(2));
  EXPECT_EQ(discovery_.wanted.size(), full);
}

}  // namespace
}  // namespace weft::sidecar
