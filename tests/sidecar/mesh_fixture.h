// Pods on a calm simulated network, and how tests call from one to the other.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sidecar/sim_pod.h"

namespace weft::test {

inline constexpr std::uint16_t app_port = 8080;

class MeshTest : public testing::Test {
 protected:
  MeshTest() { redirect_like_iptables(network_); }

  std::unique_ptr<SimPod> pod(const std::string& ip, const std::string& service_account) {
    auto made = std::make_unique<SimPod>(network_, endpoints_, root_, ip, service_account);
    made->set_inbound(made->inbound_policy());
    return made;
  }

  static policy::Service service(std::vector<policy::Endpoint> endpoints) {
    policy::Service service;
    service.name = "default/world:80";
    service.host = "world.default.svc.cluster.local";
    service.port = 80;
    service.protocol = policy::Protocol::http1;
    service.addresses = {Address::parse("198.18.128.1:80").value()};
    service.endpoints = std::move(endpoints);
    return service;
  }

  static http::FetchRequest get(std::string path = "/") {
    http::FetchRequest request;
    request.head.method = "GET";
    request.head.target = std::move(path);
    request.head.authority = "world";
    request.timeout = std::chrono::seconds(60);
    return request;
  }

  static http::SimpleServer::Handle says(const std::string& text) {
    return [text](const http::SimpleRequest&, http::SimpleServer::Respond respond) {
      respond(http::SimpleReply{200, text, "text/plain", {}});
    };
  }

  Result<http::FetchReply> call(SimPod& from, http::FetchRequest request,
                                const char* to = "198.18.128.1:80") {
    std::optional<Result<http::FetchReply>> outcome;
    const auto in_flight = from.fetch(Address::parse(to).value(), std::move(request),
                                      [&](Result<http::FetchReply> reply) { outcome = std::move(reply); });
    if (!network_.run_until([&] { return outcome.has_value(); }))
      return fail(Code::timeout, "the simulation stood still");
    return *std::move(outcome);
  }

  sim::SimNetwork network_{7};
  policy::EndpointRegistry endpoints_;
  TestRoot root_{noon()};
};

}  // namespace weft::test
