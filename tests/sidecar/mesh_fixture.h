// Pods on a calm simulated network, and how tests call from one to the other.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sidecar/sim_pod.h"
#include "tests/support/stream_recorder.h"

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

  // The application of a pod, byte by byte: all that connect to it, in order.
  struct RawServer {
    std::vector<std::unique_ptr<StreamRecorder>> served;
    std::unique_ptr<io::Listener> listener;
    StreamRecorder& last() { return *served.back(); }
    bool got(std::string_view text) { return !served.empty() && last().data.ends_with(text); }
  };
  static std::unique_ptr<RawServer> serve_raw(SimPod& pod) {
    auto server = std::make_unique<RawServer>();
    server->listener =
        pod.loop()
            .listen(Address{pod.ip(), app_port}, {},
                    [server = server.get()](std::unique_ptr<io::Stream> stream) {
                      server->served.push_back(std::make_unique<StreamRecorder>(std::move(stream)));
                    })
            .value();
    return server;
  }

  // The application of a pod answers nobody: all that asked it, in order.
  using Held = std::vector<http::SimpleServer::Respond>;
  static std::unique_ptr<Held> serve_nobody(SimPod& pod) {
    auto held = std::make_unique<Held>();
    pod.serve(app_port, [held = held.get()](const http::SimpleRequest&, http::SimpleServer::Respond respond) {
      held->push_back(std::move(respond));
    });
    return held;
  }
  // The pod's policy, but that its application is declared to speak `protocol` on every port.
  static policy::InboundPolicy speaking(const SimPod& pod, policy::Protocol protocol) {
    policy::InboundPolicy policy = pod.inbound_policy();
    for (policy::InboundPort& port : policy.ports) port.protocol = protocol;
    return policy;
  }

  // The application of `from` has a connection open, through its sidecar.
  std::unique_ptr<StreamRecorder> connected(SimPod& from, std::string_view says) {
    auto client = std::make_unique<StreamRecorder>();
    const auto connecting = from.connect(Address::parse("198.18.128.1:80").value(),
                                         [&](Result<std::unique_ptr<io::Stream>> stream) {
                                           ASSERT_TRUE(stream) << stream.error().message;
                                           client->take(*std::move(stream));
                                           client->stream->write(says);
                                         });
    EXPECT_TRUE(network_.run_until([&] { return client->stream != nullptr; }));
    return client;
  }

  sim::SimNetwork network_{7};
  policy::EndpointRegistry endpoints_;
  TestRoot root_{noon()};
};

}  // namespace weft::test
