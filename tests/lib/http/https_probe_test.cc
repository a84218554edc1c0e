// HTTPS probes over real sockets, against openssl's server where it can play the part.
#include <vector>

#include "http/http2_transport.h"
#include "tests/lib/http/health_probe_fixture.h"
#include "tests/lib/tls/test_root.h"
#include "tls/acceptor.h"
#include "tls/unverified_probe.h"

namespace weft::http {
namespace {

using test::PlainServer;

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

// A server sends session tickets as soon as it has our Finished, perhaps before the request is written. To a
// connection of the mesh, which has none, bytes that wait would mean that it is not fit for a request.
TEST_F(HttpsProbes, TicketsThatWaitDoNotSpoilTheConnection) {
  openssl_.make_certificate("a", {"-newkey", "rsa:2048", "-subj", "/CN=a"});
  const Address address = openssl_.serve("a", {"-tls1_3"});
  std::unique_ptr<io::Stream> plain;
  const auto connecting = loop_.connect(
      address, {}, [&plain](Result<std::unique_ptr<io::Stream>> made) { plain = *std::move(made); });
  ASSERT_TRUE(test::run_until(loop_, [&plain] { return plain != nullptr; }));
  std::unique_ptr<tls::TlsStream> secured;
  const auto handshake = tls::handshake_unverified_probe(
      loop_, std::move(plain), {},
      [&secured](Result<std::unique_ptr<tls::TlsStream>> made) { secured = *std::move(made); });
  ASSERT_TRUE(test::run_until(loop_, [&secured] { return secured != nullptr; }));
  test::run_for(loop_, 100ms);
  EXPECT_TRUE(secured->idle_and_open());
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
              Http2TransportOptions options;
              options.role = codec::Http2Session::Role::server;
              transport_ = std::make_unique<Http2Transport>(loop, std::move(stream), *this, options,
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
  std::unique_ptr<Http2Transport> transport_;
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

}  // namespace
}  // namespace weft::http
