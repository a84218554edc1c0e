#include "policy/inbound.h"

#include <gtest/gtest.h>

namespace weft::policy {
namespace {

TEST(InboundPort, TheEntryOfThePortCountsElseThatOfPortZero) {
  InboundPolicy policy;
  policy.ports = {InboundPort{.port = 0, .mtls = MtlsMode::strict}, InboundPort{.port = 80},
                  InboundPort{.port = 8080}};
  EXPECT_EQ(inbound_port(policy, 80).port, 80);
  EXPECT_EQ(inbound_port(policy, 8080).port, 8080);
  EXPECT_EQ(inbound_port(policy, 81).port, 0);
  EXPECT_EQ(inbound_port(policy, 9000).mtls, MtlsMode::strict);
}

TEST(EffectiveMtls, TheMostSpecificWordWins) {
  PodSettings pod;
  NamespaceSettings name_space;
  EXPECT_EQ(effective_mtls(pod, name_space, 80), MtlsMode::permissive);
  name_space.mtls = MtlsMode::strict;
  EXPECT_EQ(effective_mtls(pod, name_space, 80), MtlsMode::strict);
  pod.mtls = MtlsMode::disable;
  EXPECT_EQ(effective_mtls(pod, name_space, 80), MtlsMode::disable);
  pod.mtls_ports = {{80, MtlsMode::permissive}};
  EXPECT_EQ(effective_mtls(pod, name_space, 80), MtlsMode::permissive);
  EXPECT_EQ(effective_mtls(pod, name_space, 81), MtlsMode::disable);
}

TEST(EffectiveOutbound, ThePodsWordWinsOverItsNamespaces) {
  PodSettings pod;
  NamespaceSettings name_space;
  EXPECT_EQ(effective_outbound(pod, name_space), std::nullopt) << "as the sidecar was started";
  name_space.outbound_policy = OutboundPolicy::registry_only;
  EXPECT_EQ(effective_outbound(pod, name_space), OutboundPolicy::registry_only);
  pod.outbound_policy = OutboundPolicy::allow_any;
  EXPECT_EQ(effective_outbound(pod, name_space), OutboundPolicy::allow_any);
}

TEST(EffectiveProtocol, AnOpaquePortIsTcpWhateverAServiceSays) {
  PodSettings pod;
  pod.opaque_ports = {{3000, 3010}};
  EXPECT_EQ(effective_protocol(pod, Protocol::http1, 3010), Protocol::tcp);
  EXPECT_EQ(effective_protocol(pod, Protocol::http1, 3011), Protocol::http1);
}

TEST(InboundPlan, TheReceiversPolicyDecidesOverTheCallersProposal) {
  using Plan = InboundPlan;
  struct Case {
    Protocol declared;
    bool http_rules;
    const char* alpn;
    Plan plan;
  };
  const Case cases[] = {
      {Protocol::detect, false, "weft-http/1.1", Plan::http1},
      {Protocol::detect, false, "weft-h2", Plan::http2},
      {Protocol::detect, false, "weft-tcp", Plan::opaque},
      {Protocol::detect, false, "", Plan::detect},
      {Protocol::detect, true, "weft-tcp", Plan::close},
      {Protocol::detect, true, "", Plan::detect},
      {Protocol::http1, false, "", Plan::http},
      {Protocol::http1, true, "weft-tcp", Plan::close},
      {Protocol::grpc, false, "", Plan::http},
      {Protocol::http2, false, "http/1.1", Plan::http1},
      {Protocol::detect, false, "h2", Plan::http2},
      {Protocol::tcp, false, "weft-http/1.1", Plan::opaque},
      {Protocol::tcp, true, "weft-http/1.1", Plan::close},
      {Protocol::tls, false, "", Plan::opaque},
      {Protocol::detect, false, "unheard-of", Plan::detect},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(inbound_plan(c.declared, c.http_rules, c.alpn), c.plan)
        << static_cast<int>(c.declared) << c.http_rules << c.alpn;
  }
}

}  // namespace
}  // namespace weft::policy
