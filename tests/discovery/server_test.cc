// The configuration stream over real sockets, with real TLS on both sides.
#include "discovery/server.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "discovery/mesh_listener.h"
#include "discovery/metrics.h"
#include "http/dial.h"
#include "http/grpc_client.h"
#include "tests/discovery/world.h"
#include "tests/lib/tls/test_root.h"
#include "tests/support/run_until.h"

namespace weft::discovery {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view discovery_id = "spiffe://cluster.local/ns/weft-system/sa/weft-discovery";

// A sidecar's end of the stream.
class Client final : public http::GrpcClientStreamHandler {
 public:
  Client(io::UvLoop& loop, const test::TestRoot& root, const Address& server, const std::string& id)
      : context_(tls::Context::client(id.empty() ? nullptr : root.svid(id), root.bundle()).value()) {
    http::GrpcChannelOptions options;
    options.target = "discovery";
    options.authority = "discovery";
    http::DialTarget target{.address = server,
                            .context = context_,
                            .expected_identity = *SpiffeId::parse(discovery_id),
                            .server_name = {},
                            .alpn = {"h2"}};
    channel_ = std::make_unique<http::GrpcChannel>(loop, random_, options,
                                                   [&loop, target](http::GrpcChannel::ConnectDone done) {
                                                     return http::dial(loop, target, std::move(done));
                                                   });
    stream = channel_->open("/weft.v1.Discovery/Stream", {}, *this);
  }
  void hello(std::string_view pod, std::map<std::string, std::string> held = {}) {
    send(
        kube::Hello{str_cat("uid-", pod), std::string(pod), "default", "127.0.0.1", "test", std::move(held)});
  }
  void send(const kube::SidecarMessage& message) { stream->send(kube::encode(message)); }
  template <class T>
  const T* get(const std::string& name) const {
    const auto found = has.find(name);
    return found == has.end() ? nullptr : std::get_if<T>(&found->second.content);
  }
  std::map<std::string, std::string> held() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, resource] : has) out[name] = resource.version;
    return out;
  }

  void grpc_opened() override {}
  void grpc_message(std::string_view bytes) override {
    auto update = kube::decode_update(bytes);
    ASSERT_TRUE(update) << update.error().message;
    EXPECT_EQ(update->nonce, updates.size() + 1);
    std::vector<std::string> names;
    for (kube::Resource& resource : update->resources) {
      names.push_back(resource.name);
      has[resource.name] = std::move(resource);
    }
    for (const std::string& name : update->removed) {
      names.push_back("-" + name);
      has.erase(name);
    }
    updates.push_back(std::move(names));
  }
  void grpc_drained() override {}
  void grpc_closed(const Result<codec::GrpcStatus>& how) override {
    closed = how ? how->to_string() : how.error().message;
  }

  std::vector<std::vector<std::string>> updates;  // names, in the order in which they came
  std::map<std::string, kube::Resource> has;
  std::optional<std::string> closed;

 private:
  SeededRandom random_{1};
  std::shared_ptr<const tls::Context> context_;
  std::unique_ptr<http::GrpcChannel> channel_;

 public:
  std::unique_ptr<http::GrpcClientStream> stream;
};

using Names = std::vector<std::string>;

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    server_.add_to(grpc_);
    EXPECT_TRUE(listener_.set_credentials({root_.svid(std::string(discovery_id)), root_.bundle()}));
    EXPECT_TRUE(listener_.listen(at("127.0.0.1:0")));
    server_.set_bundle({{"root one"}});
  }
  void apply(std::string_view yaml) { server_.take(changes_of(yaml)); }
  bool until(Function<bool()> done) { return test::run_until(loop_, std::move(done)); }
  std::unique_ptr<Client> connect(const std::string& id = "spiffe://cluster.local/ns/default/sa/hello") {
    return std::make_unique<Client>(loop_, root_, listener_.local_address(), id);
  }
  // A connected sidecar of pod "a" that has its first Update.
  std::unique_ptr<Client> welcome() {
    auto client = connect();
    client->hello("a");
    EXPECT_TRUE(until([&] { return client->updates.size() == 1; }));
    return client;
  }
  static std::string pod_a(std::string_view more = {}) { return pod_yaml("a", "127.0.0.1", "app: a", more); }

  io::UvLoop loop_;
  test::TestRoot root_{loop_.wall_now()};
  ConfigServer server_{loop_, {.mesh = test_mesh()}};
  http::GrpcServer grpc_{loop_};
  MeshListener listener_{loop_, grpc_};
};

TEST_F(ServerTest, InboundPolicyAndRootsComeUnasked) {
  apply(pod_a());
  const auto client = welcome();
  EXPECT_EQ(client->updates[0], (Names{"bundle", "inbound"}));
  EXPECT_EQ(client->get<policy::InboundPolicy>("inbound")->workload, "default/a");
  EXPECT_EQ(client->get<kube::TrustRoots>("bundle")->roots_pem, Names{"root one"});
}

TEST_F(ServerTest, NobodyIsToldAnythingBeforeTheSourceWasRead) {
  const auto client = connect();
  client->hello("a");
  client->send(kube::Subscribe{{"203.0.113.1:80"}, {}});
  ASSERT_TRUE(until([&] { return server_.streams() == 1; }));
  test::run_for(loop_, 50ms);
  EXPECT_TRUE(client->updates.empty());
  apply(pod_a());
  ASSERT_TRUE(until([&] { return !client->updates.empty(); }));
  EXPECT_EQ(client->updates[0], (Names{"bundle", "inbound", "address/203.0.113.1:80"}));
}

TEST_F(ServerTest, ASubscribeIsAnsweredWithOwnersAndTheirServicesTogether) {
  apply(pod_a() + service_yaml("world", "198.18.0.10", "app: world") +
        pod_yaml("w", "198.18.1.1", "app: world"));
  const auto client = welcome();
  client->send(kube::Subscribe{{"198.18.0.10:80", "198.18.1.1:8080", "198.19.0.1:1"}, {}});
  ASSERT_TRUE(until([&] { return client->updates.size() == 2; }));
  EXPECT_EQ(client->updates[1], (Names{"service/default/world:80", "address/198.18.0.10:80",
                                       "address/198.18.1.1:8080", "address/198.19.0.1:1"}));
  EXPECT_EQ(client->get<policy::AddressOwner>("address/198.19.0.1:1")->kind,
            policy::AddressOwner::Kind::unknown_inside);
}

TEST_F(ServerTest, OnlyThoseThatHoldWhatChangedAreTold) {
  apply(pod_a() + pod_yaml("b", "127.0.0.1", "app: b") + service_yaml("world", "198.18.0.10", "app: world"));
  const auto holder = welcome();
  holder->send(kube::Subscribe{{"198.18.0.10:80"}, {}});
  const auto other = connect();
  other->hello("b");
  ASSERT_TRUE(until([&] { return holder->updates.size() == 2 && other->updates.size() == 1; }));
  apply(pod_yaml("w", "198.18.1.1", "app: world"));
  ASSERT_TRUE(until([&] { return holder->updates.size() == 3; }));
  EXPECT_EQ(holder->updates[2], Names{"service/default/world:80"});
  EXPECT_EQ(holder->get<policy::Service>("service/default/world:80")->endpoints.size(), 1u);
  EXPECT_EQ(other->updates.size(), 1u);
}

TEST_F(ServerTest, ChangesCloseTogetherArePushedTogether) {
  apply(pod_a() + service_yaml("world", "198.18.0.10", "app: world"));
  const auto client = welcome();
  client->send(kube::Subscribe{{"198.18.0.10:80"}, {}});
  ASSERT_TRUE(until([&] { return client->updates.size() == 2; }));
  const auto batches = server_.counts().batches;
  for (int i = 1; i <= 50; ++i) apply(pod_yaml(str_cat("w", i), str_cat("198.18.1.", i), "app: world"));
  ASSERT_TRUE(until([&] { return client->updates.size() == 3; }));
  EXPECT_EQ(client->get<policy::Service>("service/default/world:80")->endpoints.size(), 50u);
  EXPECT_EQ(server_.counts().batches, batches + 1);
}

TEST_F(ServerTest, AnAnnotationReachesItsPodWithinASecond) {
  apply(pod_a());
  const auto client = welcome();
  apply(pod_a(", annotations: {weft.mesh/mtls: strict}"));
  ASSERT_TRUE(test::run_until(
      loop_, [&] { return client->updates.size() == 2; }, 1s));
  EXPECT_EQ(client->get<policy::InboundPolicy>("inbound")->ports.at(0).mtls, policy::MtlsMode::strict);
}

TEST_F(ServerTest, AReconnectIsToldOnlyWhatDiffers) {
  apply(pod_a() + service_yaml("world", "198.18.0.10", "app: world") +
        service_yaml("x", "198.18.0.11", "app: x"));
  auto client = welcome();
  client->send(kube::Subscribe{{"198.18.0.10:80", "198.18.0.11:80"}, {}});
  ASSERT_TRUE(until([&] { return client->updates.size() == 2; }));
  const auto held = client->held();
  client.reset();
  apply(pod_yaml("w", "198.18.1.1", "app: world"));
  ASSERT_TRUE(until([&] { return server_.streams() == 0; }));
  const auto again = connect();
  again->hello("a", held);
  ASSERT_TRUE(until([&] { return !again->updates.empty(); }));
  EXPECT_EQ(again->updates[0], Names{"service/default/world:80"});
}

TEST_F(ServerTest, ANewRootIsPushedToAll) {
  apply(pod_a());
  const auto client = welcome();
  server_.set_bundle({{"root one", "root two"}});
  ASSERT_TRUE(until([&] { return client->updates.size() == 2; }));
  EXPECT_EQ(client->updates[1], Names{"bundle"});
}

TEST_F(ServerTest, APodThatIsKnownLaterIsServedThen) {
  apply(service_yaml("world", "198.18.0.10", "app: world"));
  const auto client = connect();
  client->hello("a");
  ASSERT_TRUE(until([&] { return server_.streams() == 1; }));
  test::run_for(loop_, 50ms);
  EXPECT_TRUE(client->updates.empty());
  EXPECT_FALSE(client->closed);
  apply(pod_a());
  EXPECT_TRUE(until([&] { return client->updates.size() == 1; }));
}

TEST_F(ServerTest, AnotherServiceAccountGetsNothingOfThePod) {
  apply(pod_a());
  const auto client = connect("spiffe://cluster.local/ns/default/sa/thief");
  client->hello("a");
  ASSERT_TRUE(until([&] { return client->closed.has_value(); }));
  EXPECT_EQ(
      *client->closed,
      "PERMISSION_DENIED: spiffe://cluster.local/ns/default/sa/thief asks for pod default/a, whose service "
      "account is hello");
  EXPECT_TRUE(client->updates.empty());
  EXPECT_EQ(server_.counts().hellos_refused, 1u);
}

TEST_F(ServerTest, ACallerFromAnotherAddressThanItsPodsIsRefused) {
  apply(pod_yaml("far", "127.0.0.9", "app: a"));
  const auto client = connect();
  client->send(kube::Hello{"uid-far", "far", "default", "127.0.0.9", "test", {}});
  ASSERT_TRUE(until([&] { return client->closed.has_value(); }));
  EXPECT_EQ(client->closed->substr(0, 17), "PERMISSION_DENIED");
}

TEST_F(ServerTest, WithoutACertificateThereIsNoStream) {
  apply(pod_a());
  const auto client = connect("");
  client->hello("a");
  ASSERT_TRUE(until([&] { return client->closed.has_value(); }));
  EXPECT_EQ(server_.counts().streams_opened, 0u);
}

TEST_F(ServerTest, MessagesOutOfOrderEndTheStream) {
  apply(pod_a());
  const auto before_hello = connect();
  before_hello->send(kube::Subscribe{{"198.18.0.10:80"}, {}});
  const auto second_hello = welcome();
  second_hello->hello("a");
  const auto early_ack = welcome();
  early_ack->send(kube::Ack{99, ""});
  const auto garbage = welcome();
  garbage->stream->send("\xff\xff");
  const auto nonsense = welcome();
  nonsense->send(kube::Subscribe{{"nonsense"}, {}});
  ASSERT_TRUE(until([&] {
    return before_hello->closed && second_hello->closed && early_ack->closed && garbage->closed &&
           nonsense->closed;
  }));
  EXPECT_EQ(*before_hello->closed, "INVALID_ARGUMENT: the first message must be a Hello");
  EXPECT_EQ(*second_hello->closed, "INVALID_ARGUMENT: a second Hello");
  EXPECT_EQ(*early_ack->closed, "INVALID_ARGUMENT: an Ack of what was never sent");
  EXPECT_EQ(*garbage->closed, "INVALID_ARGUMENT: message of a sidecar: not a weft.v1.SidecarMessage");
  EXPECT_EQ(nonsense->closed->substr(0, 38), "INVALID_ARGUMENT: subscribe 'nonsense'");
}

TEST_F(ServerTest, AnswersOfSidecarsAreCounted) {
  apply(pod_a());
  const auto client = welcome();
  client->send(kube::Ack{1, ""});
  client->send(kube::Ack{1, "ports[0]: nonsense"});
  ASSERT_TRUE(until([&] { return server_.counts().updates_refused == 1; }));
  EXPECT_EQ(server_.counts().acks, 1u);
  EXPECT_FALSE(client->closed) << "who refuses keeps what it has";
}

TEST_F(ServerTest, ASlowReaderCostsNoMoreThanOneDifference) {
  std::string services;
  kube::Subscribe all;
  for (int i = 0; i < 200; ++i) {
    services +=
        service_yaml(str_cat("s", i), str_cat("198.18.2.", i), "app: w", "{port: 80, targetPort: web}");
    all.addresses.push_back(str_cat("198.18.2.", i, ":80"));
  }
  apply(pod_a() + services);
  const auto client = welcome();
  client->send(all);
  ASSERT_TRUE(until([&] { return client->has.size() == 402; }));
  client->stream->pause();
  const auto updates = server_.counts().updates;
  // Each batch changes 200 Services with ever more endpoints: far more than windows and socket buffers hold.
  for (int i = 1; i <= 150; ++i) {
    apply(pod_yaml(str_cat("w", i), str_cat("198.18.1.", i), "app: w"));
    const auto batches = server_.counts().batches;
    ASSERT_TRUE(until([&] { return server_.counts().batches > batches; }));
  }
  EXPECT_LT(server_.counts().updates, updates + 100) << "it stopped sending";
  client->stream->resume();
  const auto complete = [&] {
    const auto* service = client->get<policy::Service>("service/default/s199:80");
    return service != nullptr && service->endpoints.size() == 150;
  };
  EXPECT_TRUE(until(complete)) << "and brought the present state in the end";
}

TEST_F(ServerTest, ARenewedCertificateServesTheNextConnection) {
  apply(pod_a());
  const auto before = welcome();
  EXPECT_TRUE(listener_.set_credentials({root_.svid(std::string(discovery_id)), root_.bundle()}));
  const auto after = welcome();
  EXPECT_FALSE(before->closed);
}

TEST_F(ServerTest, MetricsSayWhatHappened) {
  apply(pod_a() + service_yaml("bad", "198.18.0.10", "app: a", "{port: 80}", "weft.mesh/timeout: nonsense"));
  const auto client = welcome();
  const std::string text =
      metrics_text({.server = server_, .certificate_expiry = WallTime(std::chrono::seconds(99))});
  for (const std::string_view line :
       {"\nweft_discovery_streams 1\n", "\nweft_discovery_pods 1\n", "\nweft_discovery_services 1\n",
        "\nweft_discovery_updates_total 1\n", "\nweft_discovery_resources_total 2\n",
        "\nweft_discovery_annotations_refused 1\n", "\nweft_discovery_annotations_refused_total 1\n",
        "\nweft_discovery_certificate_expiry_timestamp_seconds 99\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

}  // namespace
}  // namespace weft::discovery
