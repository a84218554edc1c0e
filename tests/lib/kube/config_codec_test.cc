#include "kube/config_codec.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::kube {
namespace {

Address at(std::string_view text) { return *Address::parse(text); }

policy::Service full_service() {
  policy::Service service;
  service.name = "default/hello:80";
  service.host = "hello.default.svc.cluster.local";
  service.port = 80;
  service.protocol = policy::Protocol::http1;
  service.addresses = {at("198.18.0.10:80"), at("[2001:2::10]:80")};
  service.timeout = policy::Millis(10000);
  service.retry = {.attempts = 2,
                   .retry_on = policy::retry_5xx | policy::retry_grpc_unavailable,
                   .statuses = {418, 500},
                   .per_try_timeout = policy::Millis(2000),
                   .methods = {"POST"},
                   .budget_percent = 35};
  using Kind = policy::RouteCondition::Kind;
  service.routes = {{{{Kind::header_matches, "end-user", "j.*"}, {Kind::method, "", "GET"}}, "v2"}};
  service.canary = {{"v1", 90}, {"v2", 10}};
  service.canary_sticky = policy::CallerKey{policy::CallerKey::Kind::cookie, "sid"};
  service.load_balancer = {policy::LoadBalancer::Kind::hash, {policy::CallerKey::Kind::header, "x-user"}};
  service.outlier = {7, policy::Millis(5000), policy::Millis(60000), 25};
  service.limits = {10, 20, 30};
  service.endpoints = {{at("198.18.1.1:8080"), "spiffe://cluster.local/ns/default/sa/hello", "v1",
                        "default/hello-1", "hello", true},
                       {at("[2001:2::1]:8080"), "", "", "default/hello-2", ""}};
  service.fault = {policy::Millis(5000), 10, 503, 1};
  service.mirror = {"v2", 10};
  service.attempts_header = true;
  return service;
}

policy::AddressOwner pod_owner() {
  policy::AddressOwner owner;
  owner.address = at("198.18.1.1:8080");
  owner.kind = policy::AddressOwner::Kind::pod;
  owner.pod = {owner.address, "spiffe://cluster.local/ns/default/sa/hello", "v1", "default/hello-1", "hello"};
  owner.protocol = policy::Protocol::grpc;
  owner.pod_service = "default/hello:80";
  return owner;
}

policy::InboundPolicy full_inbound() {
  policy::InboundPolicy inbound;
  inbound.workload = "default/hello-1";
  inbound.workload_name = "hello";
  inbound.identity = "spiffe://cluster.local/ns/default/sa/hello";
  inbound.default_policy = policy::DefaultPolicy::deny;
  inbound.access_log = policy::AccessLog::all;
  inbound.log_level = "debug";
  inbound.drain_timeout = policy::Millis(1500);
  inbound.tcp_max_age = policy::Millis(3600000);
  inbound.outbound_policy = policy::OutboundPolicy::registry_only;
  inbound.preserve_case = true;
  using Kind = policy::RbacSource::Kind;
  policy::RbacRule rule{.name = "service default/hello allow #1",
                        .action = policy::RbacAction::deny,
                        .from = {{Kind::service_account, "default", "world"},
                                 {Kind::name_space, "shop", ""},
                                 {Kind::any_mesh, "", ""},
                                 {Kind::anonymous, "", ""}},
                        .methods = {"GET", "HEAD"},
                        .paths = {"/api/*"}};
  inbound.ports = {{.port = 0, .mtls = policy::MtlsMode::strict},
                   {.port = 8080,
                    .mtls = policy::MtlsMode::disable,
                    .protocol = policy::Protocol::tls,
                    .service = "default/hello:80",
                    .rules = {rule},
                    .deny_all = true}};
  return inbound;
}

Content through_the_wire(const Content& content) {
  const auto encoded = std::make_shared<const EncodedResource>(encode_resource(content));
  auto update = decode_update(encode_update(7, {encoded}, {"service/default/gone:1"}));
  if (!update) {
    ADD_FAILURE() << update.error().message;
    return {};
  }
  EXPECT_EQ(update->nonce, 7u);
  EXPECT_EQ(update->removed, std::vector<std::string>{"service/default/gone:1"});
  EXPECT_EQ(update->resources.at(0).name, resource_name(content));
  EXPECT_EQ(update->resources.at(0).version, encoded->version);
  return update->resources.at(0).content;
}

TEST(ConfigCodec, KeepsEveryFieldOfAService) {
  EXPECT_EQ(through_the_wire(full_service()), Content(full_service()));
  EXPECT_EQ(through_the_wire(policy::Service{.name = "a/b:1"}), Content(policy::Service{.name = "a/b:1"}));
}

TEST(ConfigCodec, KeepsEveryFieldOfAnAddressOwner) {
  EXPECT_EQ(through_the_wire(pod_owner()), Content(pod_owner()));
  policy::AddressOwner service{.address = at("[2001:2::10]:80"),
                               .kind = policy::AddressOwner::Kind::service,
                               .service = "default/hello:80"};
  EXPECT_EQ(through_the_wire(service), Content(service));
  for (const auto kind :
       {policy::AddressOwner::Kind::unknown_inside, policy::AddressOwner::Kind::unknown_outside}) {
    policy::AddressOwner unknown{.address = at("198.18.9.9:0"), .kind = kind};
    EXPECT_EQ(through_the_wire(unknown), Content(unknown));
  }
}

TEST(ConfigCodec, KeepsEveryFieldOfAnInboundPolicy) {
  EXPECT_EQ(through_the_wire(full_inbound()), Content(full_inbound()));
  for (const auto outbound : {std::optional<policy::OutboundPolicy>(), {policy::OutboundPolicy::allow_any}}) {
    policy::InboundPolicy inbound = full_inbound();
    inbound.outbound_policy = outbound;
    EXPECT_EQ(through_the_wire(inbound), Content(inbound));
  }
}

TEST(ConfigCodec, KeepsTrustRootsInOrder) {
  const Content roots = TrustRoots{{"one", "two"}};
  EXPECT_EQ(through_the_wire(roots), roots);
}

void expect_kept(const SidecarMessage& message) {
  const auto decoded = decode_sidecar_message(encode(message));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, message);
}

TEST(ConfigCodec, KeepsMessagesOfTheSidecar) {
  expect_kept(Hello{"uid", "hello-1", "default", "198.18.1.1", "0.1", {{"inbound", "1"}, {"bundle", "2"}}});
  expect_kept(Subscribe{{"198.18.0.10:80"}, {"198.18.0.11:80"}});
  expect_kept(Ack{9, "endpoints[0]: bad"});
  expect_kept(Ack{10, ""});
}

TEST(ConfigCodec, AVersionTellsContentsApartAndEqualOnesAlike) {
  policy::Service service = full_service();
  const std::string version = encode_resource(service).version;
  EXPECT_EQ(encode_resource(full_service()).version, version);
  service.endpoints[0].subset = "v2";
  EXPECT_NE(encode_resource(service).version, version);
  EXPECT_EQ(version.size(), 32u);
}

TEST(ConfigCodec, ACacheFileReadsBackWithItsVersions) {
  Update update{
      .nonce = 3,
      .resources = {{"service/default/hello:80", "v-a", full_service()}, {"inbound", "v-b", full_inbound()}}};
  const auto decoded = decode_update(encode(update));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, update);
}

TEST(ConfigCodec, RefusesGarbageByName) {
  EXPECT_FALSE(decode_update("\xff\xff\xff"));
  EXPECT_FALSE(decode_sidecar_message("\xff"));
  EXPECT_EQ(decode_sidecar_message("").error().message, "message of a sidecar: of no known kind");
}

TEST(ConfigCodec, RefusesContentUnderAnotherName) {
  Update update{.resources = {{"service/default/other:80", "v", full_service()}}};
  EXPECT_EQ(decode_update(encode(update)).error().message,
            "resource service/default/other:80: its content is that of service/default/hello:80");
}

TEST(ConfigCodec, RefusesAnInboundPolicyWithoutItsCatchAllPort) {
  policy::InboundPolicy inbound = full_inbound();
  inbound.ports.erase(inbound.ports.begin());
  const auto decoded = decode_update(encode(Update{.resources = {{"inbound", "v", inbound}}}));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().message, "resource inbound: ports: the entry of port 0 is missing");
}

TEST(ConfigCodec, RefusesPortsThatAreNotSorted) {
  policy::InboundPolicy inbound = full_inbound();
  inbound.ports.push_back({.port = 8080});
  EXPECT_EQ(decode_update(encode(Update{.resources = {{"inbound", "v", inbound}}})).error().message,
            "resource inbound: ports[2]: not sorted by port");
}

TEST(ConfigCodec, RefusesValuesOutsideAnEnumeration) {
  policy::Service service = full_service();
  service.protocol = static_cast<policy::Protocol>(99);
  EXPECT_EQ(
      decode_update(encode(Update{.resources = {{resource_name(service), "v", service}}})).error().message,
      "resource service/default/hello:80: protocol: unknown value 99");
}

TEST(ConfigCodec, RefusesSharesAboveTheWholeAndStatusesThatAreNoFailure) {
  const auto refusal = [](const auto& change) {
    policy::Service service = full_service();
    change(service);
    const auto decoded = decode_update(encode(Update{.resources = {{resource_name(service), "v", service}}}));
    return decoded ? "taken" : decoded.error().message.substr(sizeof("resource service/default/hello:80:"));
  };
  EXPECT_EQ(refusal([](auto& s) { s.fault.delay_percent = 101; }), "fault.delay_percent: above 100");
  EXPECT_EQ(refusal([](auto& s) { s.fault.abort_percent = 101; }), "fault.abort_percent: above 100");
  EXPECT_EQ(refusal([](auto& s) { s.fault.abort_status = 200; }),
            "fault.abort_status: 200 is not a status code");
  EXPECT_EQ(refusal([](auto& s) { s.mirror.percent = 101; }), "mirror.percent: above 100");
  EXPECT_EQ(refusal([](auto& s) { s.retry.budget_percent = 101; }), "retry.budget_percent: above 100");
}

// Whatever bytes arrive, decoding ends with a value or an error.
TEST(ConfigCodec, SurvivesEveryTruncationAndFlippedByte) {
  const std::string whole = encode(Update{
      .nonce = 1,
      .resources = {{resource_name(full_service()), "v", full_service()}, {"inbound", "v", full_inbound()}}});
  int refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (!decode_update(whole.substr(0, i))) ++refused;
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x55);
    if (!decode_update(flipped)) ++refused;
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace weft::kube
