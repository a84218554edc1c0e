// Probes over real sockets: HTTP, TCP and gRPC.
#include "http/grpc_server.h"
#include "http/http2_transport.h"
#include "tests/lib/http/health_probe_fixture.h"

namespace weft::http {
namespace {

using Kind = HealthProbe::Kind;
using test::PlainServer;

// ---- http ----

TEST_F(HealthProbes, StatusDecides) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"200 OK", ""},
      {"204 No Content", ""},
      {"304 Not Modified", ""},
      {"399 Odd", ""},
      {"400 Bad Request", "HTTP status 400: body"},
      {"404 Not Found", "HTTP status 404: body"},
      {"503 Service Unavailable", "HTTP status 503: body"}};
  for (const auto& [status, problem] : cases) {
    const bool bodiless = status.starts_with("204") || status.starts_with("304");
    PlainServer server(
        loop_, always(bodiless ? str_cat("HTTP/1.1 ", status, "\r\n\r\n") : answer(status, "body\nmore")));
    HealthProbe probe = to(server.address());
    probe.path = "/ready?full=1";
    probe.quote_answer = true;
    const std::string wanted =
        problem.empty() ? ""
                        : str_cat("GET http://", server.address().to_string(), "/ready?full=1: ", problem);
    EXPECT_EQ(run(std::move(probe)), wanted) << status;
  }
}

TEST_F(HealthProbes, RequestIsTheKubeletsWithTheProbesOwnHeaders) {
  PlainServer server(loop_, always(answer("200 OK")));
  EXPECT_EQ(run(to(server.address())), "");
  EXPECT_EQ(server.received(), str_cat("GET / HTTP/1.1\r\nHost: ", server.address().to_string(),
                                       "\r\nuser-agent: kube-probe/weft\r\naccept: */*\r\n\r\n"));
  HealthProbe probe = to(server.address());
  probe.path = "a b#fragment";
  probe.headers = {{"user-agent", "kube-probe/1.31"},
                   {"Host", "shop.example"},
                   {"X-A", "1"},
                   {"X-A", "2"},
                   {"Accept", ""},
                   {"Content-Length", "7"}};
  EXPECT_EQ(run(std::move(probe)), "");
  EXPECT_EQ(server.received(1),
            "GET /a%20b HTTP/1.1\r\nHost: shop.example\r\nuser-agent: kube-probe/1.31\r\n"
            "X-A: 1\r\nX-A: 2\r\n\r\n");
}

TEST_F(HealthProbes, RedirectWithinTheApplicationIsFollowed) {
  PlainServer server(loop_, [](io::Stream& stream, const std::string& received) {
    if (received.starts_with("GET / "))
      stream.write("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n");
    else
      stream.write(answer("500 Internal Server Error"));
    stream.end();
  });
  HealthProbe probe = to(server.address());
  probe.headers = {{"Host", "shop.example"}};
  EXPECT_TEXT(run(std::move(probe)), "/login: HTTP status 500");
  EXPECT_TEXT(server.received(1), "Host: shop.example\r\n");
}

TEST_F(HealthProbes, RedirectToItsOwnAddressMayChangeThePort) {
  PlainServer target(loop_, always(answer("418 Teapot")));
  PlainServer server(loop_,
                     always(str_cat("HTTP/1.1 301 Moved\r\nLocation: http://", target.address().to_string(),
                                    "/there\r\nContent-Length: 0\r\n\r\n")));
  EXPECT_TEXT(run(to(server.address())), "/there: HTTP status 418");
}

TEST_F(HealthProbes, RedirectElsewhereIsSuccess) {
  for (const std::string location : {"https://shop.example/", "//shop.example/", "http://198.18.3.4/", ""}) {
    PlainServer server(loop_, always(str_cat("HTTP/1.1 302 Found\r\nLocation: ", location,
                                             "\r\nContent-Length: 0\r\n\r\n")));
    EXPECT_EQ(run(to(server.address())), "") << location;
    EXPECT_EQ(server.connections(), 1u);
  }
}

TEST_F(HealthProbes, RedirectsInACircleFail) {
  PlainServer server(loop_, always("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TEXT(run(to(server.address())), "more than 10 redirects");
  EXPECT_EQ(server.connections(), 11u);
}

TEST_F(HealthProbes, BodyWithoutEndIsCut) {
  PlainServer server(loop_, [begun = false](io::Stream& stream, const std::string&) mutable {
    if (!std::exchange(begun, true)) stream.write("HTTP/1.1 200 OK\r\n\r\n");
    while (stream.writable()) stream.write(std::string(64 * 1024, 'x'));
  });
  EXPECT_EQ(run(to(server.address())), "");
  test::run_for(loop_, 100ms);
  EXPECT_LT(server.drains(), 100);
}

// Servers that end a body by closing often do so without TLS close_notify; the status is what was asked for.
TEST_F(HealthProbes, BodyThatBreaksOffCountsByItsStatus) {
  PlainServer good(loop_, always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"));
  EXPECT_EQ(run(to(good.address())), "");
  PlainServer bad(loop_, always("HTTP/1.1 500 Oh\r\nContent-Length: 10\r\n\r\nhalf"));
  EXPECT_TEXT(run(to(bad.address())), "HTTP status 500");
}

TEST_F(HealthProbes, BodyThatStopsHalfWayTimesOut) {
  PlainServer server(loop_, [](io::Stream& stream, const std::string&) {
    stream.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  HealthProbe probe = to(server.address());
  probe.timeout = 200ms;
  EXPECT_EQ(run(std::move(probe)),
            str_cat(server.address().to_string(), ": no whole HTTP answer within 200 ms"));
}

TEST_F(HealthProbes, SilenceTimesOutWhateverTheKind) {
  PlainServer server(loop_, [](io::Stream&, const std::string&) {});
  const auto silent = [&](HealthProbe probe) {
    probe.timeout = 200ms;
    const MonotonicTime begun = loop_.now();
    const std::string problem = run(std::move(probe));
    EXPECT_GE(loop_.now() - begun, 190ms);
    EXPECT_LT(loop_.now() - begun, 2s);
    return problem;
  };
  const std::string where = server.address().to_string();
  EXPECT_EQ(silent(to(server.address())), where + ": no whole HTTP answer within 200 ms");
  EXPECT_EQ(silent(https_to(server.address())),
            where + ": a TCP connection, but no TLS handshake within 200 ms");
  HealthProbe grpc = to(server.address());
  grpc.kind = Kind::grpc;
  EXPECT_EQ(silent(std::move(grpc)), where + ": no answer to the gRPC health check within 200 ms");
}

TEST_F(HealthProbes, WhatIsNoHttpFails) {
  PlainServer server(loop_, always("SSH-2.0-OpenSSH_9.2\r\n"));
  EXPECT_TEXT(run(to(server.address())), str_cat("GET http://", server.address().to_string(), "/: "));
}

// ---- tcp ----

TEST_F(HealthProbes, TcpAsksForAConnectionAlone) {
  Address address;
  {
    PlainServer server(loop_, [](io::Stream&, const std::string&) {});
    address = server.address();
    HealthProbe probe = to(address);
    probe.kind = Kind::tcp;
    EXPECT_EQ(run(std::move(probe)), "");
  }
  HealthProbe probe = to(address);
  probe.kind = Kind::tcp;
  EXPECT_TEXT(run(std::move(probe)), "refused");
}

// ---- grpc ----

class GrpcProbes : public HealthProbes {
 protected:
  GrpcProbes() {
    server_.set_serving("shop", true);
    server_.set_serving("cart", false);
    listener_ = loop_
                    .listen(*Address::parse("127.0.0.1:0"), {},
                            [this](std::unique_ptr<io::Stream> stream) {
                              const Address peer = stream->peer_address();
                              server_.accept(std::move(stream), GrpcPeer{peer, std::nullopt});
                            })
                    .value();
  }
  std::string check(std::string service) { return check(listener_->local_address(), std::move(service)); }
  std::string check(const Address& address, std::string service) {
    HealthProbe probe = to(address);
    probe.kind = Kind::grpc;
    probe.service = std::move(service);
    return run(std::move(probe));
  }

  GrpcServer server_{loop_};
  std::unique_ptr<io::Listener> listener_;
};

TEST_F(GrpcProbes, OnlyServingIsSuccess) {
  EXPECT_EQ(check(""), "");
  EXPECT_EQ(check("shop"), "");
  const std::string where = listener_->local_address().to_string();
  EXPECT_EQ(check("cart"),
            str_cat("gRPC health of service cart at ", where, ": NOT_SERVING, expected SERVING"));
  EXPECT_EQ(check("nothing"),
            str_cat("gRPC health of service nothing at ", where, ": NOT_FOUND: no service 'nothing'"));
  server_.set_serving("", false);
  EXPECT_EQ(check(""), str_cat("gRPC health at ", where, ": NOT_SERVING, expected SERVING"));
}

// Answers every call with a status and no message, as a server without that service does.
class Trailers final : public codec::Http2Handler {
 public:
  Trailers(io::UvLoop& loop, std::string status) : status_(std::move(status)) {
    listener_ = loop.listen(*Address::parse("127.0.0.1:0"), {},
                            [this, &loop](std::unique_ptr<io::Stream> stream) {
                              Http2TransportOptions options;
                              options.role = codec::Http2Session::Role::server;
                              transport_ = std::make_unique<Http2Transport>(loop, std::move(stream), *this,
                                                                            options, [](const Error*) {});
                            })
                    .value();
  }
  const Address& address() const { return listener_->local_address(); }

 private:
  void http2_request(codec::StreamId id, codec::RequestHead&& head, bool) override {
    EXPECT_EQ(head.target, "/grpc.health.v1.Health/Check");
    codec::ResponseHead response;
    response.status = 200;
    response.headers.add("content-type", "application/grpc");
    response.headers.add("grpc-status", status_);
    transport_->session().respond(id, response, true);
  }
  void http2_response(codec::StreamId, codec::ResponseHead&&, bool) override {}
  void http2_data(codec::StreamId id, std::string_view bytes) override {
    transport_->session().consume(id, bytes.size());
  }
  void http2_end(codec::StreamId, codec::Headers&&) override {}
  void http2_drained(codec::StreamId) override {}
  void http2_closed(codec::StreamId, codec::Http2Code) override {}
  void http2_goaway(codec::StreamId, codec::Http2Code, std::string_view) override {}
  void http2_pong(std::uint64_t) override {}

  std::string status_;
  std::unique_ptr<Http2Transport> transport_;
  std::unique_ptr<io::Listener> listener_;
};

TEST_F(GrpcProbes, ServerWithoutHealthServiceIsSaidToBeThat) {
  Trailers server(loop_, "12");
  EXPECT_EQ(check(server.address(), ""), str_cat("gRPC health at ", server.address().to_string(),
                                                 ": UNIMPLEMENTED: the application does not serve "
                                                 "grpc.health.v1.Health"));
  Trailers refusing(loop_, "16");
  EXPECT_TEXT(check(refusing.address(), ""), "UNAUTHENTICATED");
}

TEST_F(GrpcProbes, WhatIsNoGrpcServerFails) {
  PlainServer server(loop_, [](io::Stream& stream, const std::string&) {
    stream.write(answer("400 Bad Request"));
    stream.end();
  });
  EXPECT_TEXT(check(server.address(), ""), server.address().to_string());
}

}  // namespace
}  // namespace weft::http
