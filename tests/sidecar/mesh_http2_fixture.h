// A mesh of simulated pods whose applications and callers speak HTTP/2 with prior knowledge.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/text.h"
#include "codec/grpc_frame.h"
#include "tests/lib/http/http2_fixture.h"
#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {

using http::Http2ClientSide;
using http::Http2ServerSide;
using http::SentRequest;
using http::ServedRequest;

// An application that speaks HTTP/2 with prior knowledge.
struct Http2Application {
  Http2Application(SimPod& pod, const std::function<void(ServedRequest&)>& handle) {
    listener = *pod.loop().listen({pod.ip(), app_port}, {},
                                  [this, &pod, handle](std::unique_ptr<io::Stream> stream) {
                                    connections.push_back(std::make_unique<Http2ServerSide>(pod.loop()));
                                    connections.back()->on_request = handle;
                                    connections.back()->take(std::move(stream));
                                  });
  }
  std::size_t requests() const {
    std::size_t count = 0;
    for (const auto& connection : connections) count += connection->requests.size();
    return count;
  }
  std::unique_ptr<io::Listener> listener;
  std::vector<std::unique_ptr<Http2ServerSide>> connections;
};

class MeshHttp2Test : public MeshTest {
 protected:
  std::unique_ptr<Http2ClientSide> client(SimPod& from, const char* to = "198.18.128.1:80") {
    auto made = std::make_unique<Http2ClientSide>(from.loop());
    connecting_.push_back(from.connect(Address::parse(to).value(), [client = made.get()](auto stream) {
      ASSERT_TRUE(stream) << stream.error().message;
      client->take(*std::move(stream));
    }));
    EXPECT_TRUE(network_.run_until([&] { return made->connection != nullptr; }));
    return made;
  }
  static codec::RequestHead grpc(const char* path = "/shop.Cart/Add") {
    codec::RequestHead head =
        http::request("POST", path, {{"content-type", "application/grpc"}, {"te", "trailers"}});
    head.authority = "world";
    return head;
  }
  static void answer_grpc(ServedRequest& request) {
    codec::Headers trailers;
    trailers.add("grpc-status", "0");
    request.exchange->send_head(http::response(200, {{"content-type", "application/grpc"}}), false);
    request.exchange->send_body(request.body);
    request.exchange->send_end(trailers);
  }
  static void echo_grpc(ServedRequest& request) {
    if (request.no_body) return answer_grpc(request);
    request.on_end = [&request] { answer_grpc(request); };
  }
  bool over(const SentRequest& request) {
    return network_.run_until([&] { return !request.outcome.empty(); });
  }

  std::vector<std::unique_ptr<io::Connecting>> connecting_;
};

}  // namespace weft::test
