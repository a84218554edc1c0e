// Probes over real sockets, against servers that are not ours where there are such: openssl's for TLS.
#include "http/health_probe.h"

#include <optional>

#include <gtest/gtest.h>

#include "http/grpc_server.h"
#include "http/grpc_transport.h"
#include "tests/lib/http/probe_servers.h"
#include "tests/lib/tls/test_root.h"
#include "tls/acceptor.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;
using Kind = HealthProbe::Kind;
using test::PlainServer;

#define EXPECT_TEXT(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class HealthProbes : public testing::Test {
 protected:
  static HealthProbe to(const Address& address) {
    HealthProbe probe;
    probe.address = address;
    probe.timeout = 5s;
    return probe;
  }
  static HealthProbe https_to(const Address& address) {
    HealthProbe probe = to(address);
    probe.https = true;
    return probe;
  }

  // "" for success, else the error's message.
  std::string run(HealthProbe probe) {
    std::optional<Status> result;
    const auto under_way = run_health_probe(loop_, std::move(probe), [&result](const Status& status) {
      EXPECT_FALSE(result) << "done ran twice";
      result = status;
    });
    EXPECT_FALSE(result) << "done ran inline";
    EXPECT_TRUE(test::run_until(loop_, [&result] { return result.has_value(); }));
    return !result ? "no result" : *result ? "" : result->error().message;
  }

  io::UvLoop loop_;
};

// Answers every request with `text`, then ends.
PlainServer::Answer always(std::string text) {
  return [text = std::move(text)](io::Stream& stream, const std::string& received) {
    if (!received.ends_with("\r\n\r\n")) return;
    stream.write(text);
    stream.end();
  };
}

std::string answer(std::string_view status_line, std::string_view body = "") {
  return str_cat("HTTP/1.1 ", status_line, "\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

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

// ---- https ----

class HttpsProbes : public HealthProbes {
 protected:
  HttpsProbes() : openssl_(loop_) {}
  test::OpenSsl openssl_;
};

// Self-signed, for another name, expired, of every usual kind of key: the kubelet looks at none of it.
TEST_F(HttpsProbes, AnyCertificateWillDoInBothVersions) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds = {
      {"p256", {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=elsewhere.example"}},
      {"p384", {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-subj", "/CN=a"}},
      {"rsa", {"-newkey", "rsa:2048", "-subj", "/CN=a"}},
      {"ed25519", {"-newkey", "ed25519", "-subj", "/CN=a"}},
      {"encipher",
       {"-newkey", "rsa:2048", "-subj", "/CN=a", "-addext", "keyUsage=keyEncipherment,dataEncipherment"}},
  };
  for (const auto& [name, options] : kinds) {
    openssl_.make_certificate(name, options);
    for (const std::string version : {"-tls1_2", "-tls1_3", ""}) {
      const bool impossible = name == "encipher" && version == "-tls1_3";
      if (impossible) continue;
      std::vector<std::string> more;
      if (!version.empty()) more.push_back(version);
      const Address address = openssl_.serve(name, more);
      EXPECT_EQ(run(https_to(address)), "") << name << " " << version;
    }
  }
}

TEST_F(HttpsProbes, ServerNameIsThatOfTheHostHeader) {
  openssl_.make_certificate("a", {"-newkey", "rsa:2048", "-subj", "/CN=a"});
  // Without that name in the ClientHello this server breaks off.
  const Address address = openssl_.serve("a", {"-servername", "shop.example", "-servername_fatal", "-cert2",
                                               openssl_.certificate("a"), "-key2", openssl_.key("a")});
  HealthProbe probe = https_to(address);
  probe.headers = {{"Host", "shop.example:8443"}};
  EXPECT_EQ(run(std::move(probe)), "");
  probe = https_to(address);
  probe.headers = {{"Host", "other.example"}};
  EXPECT_TEXT(run(std::move(probe)), "TLS alert 'unrecognized name'");
}

TEST_F(HttpsProbes, OldVersionsAreRefused) {
  openssl_.make_certificate("a", {"-newkey", "rsa:2048", "-subj", "/CN=a"});
  const Address address = openssl_.serve("a", {"-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"});
  EXPECT_TEXT(run(https_to(address)), str_cat("TLS with ", address.to_string(), ": "));
}

TEST_F(HttpsProbes, PlainHttpIsSaidToBeThat) {
  PlainServer server(loop_, [](io::Stream& stream, const std::string&) {
    stream.write(answer("400 Bad Request"));
    stream.end();
  });
  EXPECT_EQ(run(https_to(server.address())),
            str_cat("TLS with ", server.address().to_string(), ": the peer does not speak TLS"));
}

std::string record(char type, const std::string& body) {
  return str_cat(std::string{type, 3, 3, static_cast<char>(body.size() >> 8), static_cast<char>(body.size())},
                 body);
}

std::string handshake_message(char type, const std::string& body) {
  return str_cat(std::string{type, 0, static_cast<char>(body.size() >> 8), static_cast<char>(body.size())},
                 body);
}

// TLS 1.2 by hand, with bytes in the place of a certificate that are none.
TEST_F(HttpsProbes, GarbageForACertificateFails) {
  for (const std::size_t size : {0u, 1u, 300u, 4000u}) {
    std::string hello = {3, 3};
    hello.append(32, 'r');
    hello.append({0, '\xc0', '\x2f', 0});  // no session, ECDHE_RSA_WITH_AES_128_GCM_SHA256, no compression
    const std::string garbage(size, '\x30');
    const auto length = [](std::size_t n) {
      return std::string{static_cast<char>(n >> 16), static_cast<char>(n >> 8), static_cast<char>(n)};
    };
    const std::string chain = size == 0 ? "" : str_cat(length(size), garbage);
    const std::string flight =
        str_cat(record(22, handshake_message(2, hello)),
                record(22, handshake_message(11, str_cat(length(chain.size()), chain))));
    PlainServer server(loop_, [flight](io::Stream& stream, const std::string& received) {
      if (received.starts_with("\x16\x03") && received.size() > 100) stream.write(flight);
    });
    EXPECT_TEXT(run(https_to(server.address())), str_cat("TLS with ", server.address().to_string(), ": "));
  }
}

// Serves HTTP/2 and nothing else.
class Http2Server final : public codec::Http2Handler {
 public:
  Http2Server(io::Loop& loop, int status)
      : status_(status),
        root_(loop.wall_now()),
        acceptor_(
            loop,
            [this, &loop](std::unique_ptr<tls::TlsStream> stream) {
              EXPECT_EQ(stream->alpn(), "h2");
              GrpcTransportOptions options;
              options.role = codec::Http2Session::Role::server;
              transport_ = std::make_unique<GrpcTransport>(loop, std::move(stream), *this, options,
                                                           [](const Error*) {});
            },
            [](const Address&, const Error&) {}) {
    const auto svid = root_.svid("spiffe://cluster.local/ns/default/sa/a");
    acceptor_.use(tls::Context::server(svid, nullptr, {{"h2"}, false}).value());
    EXPECT_TRUE(acceptor_.listen(*Address::parse("127.0.0.1:0")));
  }
  const Address& address() const { return acceptor_.local_address(); }

  codec::RequestHead head;

 private:
  void http2_request(codec::StreamId id, codec::RequestHead&& its_head, bool) override {
    head = std::move(its_head);
    codec::ResponseHead response;
    response.status = status_;
    transport_->session().respond(id, response, false);
    transport_->session().send_data(id, "why not");
    transport_->session().send_end(id, {});
  }
  void http2_response(codec::StreamId, codec::ResponseHead&&, bool) override {}
  void http2_data(codec::StreamId, std::string_view) override {}
  void http2_end(codec::StreamId, codec::Headers&&) override {}
  void http2_drained(codec::StreamId) override {}
  void http2_closed(codec::StreamId, codec::Http2Code) override {}
  void http2_goaway(codec::StreamId, codec::Http2Code, std::string_view) override {}
  void http2_pong(std::uint64_t) override {}

  int status_;
  test::TestRoot root_;
  std::unique_ptr<GrpcTransport> transport_;
  tls::Acceptor acceptor_;
};

TEST_F(HttpsProbes, ApplicationMaySpeakHttp2Alone) {
  Http2Server good(loop_, 200);
  HealthProbe probe = https_to(good.address());
  probe.path = "/ready";
  probe.headers = {{"Host", "shop.example"}, {"X-A", "1"}};
  EXPECT_EQ(run(std::move(probe)), "");
  EXPECT_EQ(good.head.target, "/ready");
  EXPECT_EQ(good.head.authority, "shop.example");
  EXPECT_EQ(good.head.scheme, "https");
  EXPECT_EQ(good.head.headers.get("x-a"), "1");
  Http2Server bad(loop_, 503);
  probe = https_to(bad.address());
  probe.quote_answer = true;
  EXPECT_TEXT(run(std::move(probe)), "HTTP status 503: why not");
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
                              GrpcTransportOptions options;
                              options.role = codec::Http2Session::Role::server;
                              transport_ = std::make_unique<GrpcTransport>(loop, std::move(stream), *this,
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
  std::unique_ptr<GrpcTransport> transport_;
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
