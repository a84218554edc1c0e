#include <openssl/ssl.h>

#include "base/check.h"
#include "base/text.h"
#include "tls/boring.h"
#include "tls/connection.h"
#include "tls/peer_check.h"
#include "tls/probe_session.h"
#include "tls/tls_stream.h"
#include "tls/unverified_probe.h"

namespace weft::tls {
namespace {

// How long a refused client is waited for, so that our alert is read before our close becomes a reset.
constexpr auto linger_timeout = std::chrono::milliseconds(250);
// A client that refuses waits only for its own alert to leave.
constexpr auto flush_timeout = std::chrono::milliseconds(20);

std::uint8_t alert_of(ChainError::Kind kind) {
  switch (kind) {
    case ChainError::Kind::unknown_root:
      return SSL_AD_UNKNOWN_CA;
    case ChainError::Kind::expired:
    case ChainError::Kind::not_yet_valid:
      return SSL_AD_CERTIFICATE_EXPIRED;
    case ChainError::Kind::wrong_purpose:
      return SSL_AD_UNSUPPORTED_CERTIFICATE;
    case ChainError::Kind::wrong_identity:
    case ChainError::Kind::malformed:
      break;
  }
  return SSL_AD_BAD_CERTIFICATE;
}

class HandshakeImpl final : public Handshake, public HandshakeEvents {
 public:
  HandshakeImpl(io::Loop& loop, PeerExpectation expected, HandshakeDone done)
      : loop_(loop), expected_(std::move(expected)), done_(std::move(done)) {}

  void begin(std::unique_ptr<io::Stream> inner, std::shared_ptr<const Context> context,
             bssl::UniquePtr<SSL> ssl, std::string already_read, Duration timeout) {
    context_ = context;
    timer_ = loop_.make_timer(anchor_.guard([this] { timed_out(); }));
    timer_->start(timeout);
    timeout_ = timeout;
    connection_ =
        std::make_unique<Connection>(loop_, std::move(inner), std::move(context), std::move(ssl), *this);
    connection_->begin(std::move(already_read));
  }

  // For what is wrong before anything was sent.
  void fail_at_once(std::unique_ptr<io::Stream> inner, Error error) {
    refused_inner_ = std::move(inner);
    failure_ = std::move(error);
    finish();
  }

 private:
  void handshake_done() override { finish(); }

  void handshake_failed(const Error& error) override {
    if (failure_) return;
    failure_ = verify_error_ ? *verify_error_ : error;
    // What there is of an alert leaves, then FIN. A client that was refused may have sent more than was read,
    // and closing on unread bytes would be a reset that overtakes the alert; so it is given a moment to close
    // itself.
    connection_->end_inner();
    timer_->start(expected_.purpose == Purpose::client ? linger_timeout : flush_timeout);
  }

  void inner_flushed() override {
    if (expected_.purpose == Purpose::server) finish();
  }
  void inner_over() override { finish(); }

  std::optional<std::uint8_t> verify_peer(std::vector<Certificate> chain) override {
    auto peer = check_peer(chain, *context_->bundle(), expected_, loop_.wall_now());
    if (peer) {
      connection_->set_peer(*std::move(peer));
      return std::nullopt;
    }
    verify_error_ = Error{Code::refused, peer.error().message};
    return alert_of(peer.error().kind);
  }

  void timed_out() {
    if (!failure_) {
      const auto seconds = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
      failure_ = Error{Code::timeout, str_cat("TLS handshake: not finished after ", seconds, " ms")};
    }
    finish();
  }

  void finish() {
    if (finished_) return;
    finished_ = true;
    if (timer_) timer_->stop();
    loop_.defer(anchor_.guard([this] { report(); }));
  }

  // This object may be gone afterwards.
  void report() {
    const HandshakeDone done = std::move(done_);
    if (failure_) {
      done(fail(*failure_));
      return;
    }
    connection_->handshake_taken();
    done(std::unique_ptr<TlsStream>(std::move(connection_)));
  }

  io::Loop& loop_;
  PeerExpectation expected_;
  HandshakeDone done_;
  std::shared_ptr<const Context> context_;
  std::unique_ptr<io::Stream> refused_inner_;
  std::unique_ptr<io::Timer> timer_;
  Duration timeout_{};
  std::optional<Error> verify_error_;
  std::optional<Error> failure_;
  bool finished_ = false;
  std::unique_ptr<Connection> connection_;
  Anchor anchor_;
};

// RFC 7301 § 3.1: each name with its length in front. False for a name that has none.
bool offer_alpn(SSL* ssl, const std::vector<std::string>& names) {
  std::string wire;
  for (const auto& name : names) {
    if (name.empty() || name.size() > 255) return false;
    wire.push_back(static_cast<char>(name.size()));
    wire += name;
  }
  return wire.empty() || SSL_set_alpn_protos(ssl, bytes_of(wire), static_cast<unsigned>(wire.size())) == 0;
}

}  // namespace

Error tls_error() {
  // The TLS layer's own reason may stand behind that of the cipher below it.
  std::uint32_t code = ERR_get_error();
  while (code != 0 && ERR_GET_LIB(code) != ERR_LIB_SSL) code = ERR_get_error();
  ERR_clear_error();
  const int reason = ERR_GET_REASON(code);
  if (code == 0) return Error{Code::closed, "TLS: the connection broke"};
  if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255) {
    return Error{Code::refused, str_cat("the peer refused: TLS alert '",
                                        SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET), "'")};
  }
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return Error{Code::invalid, "the peer speaks plain HTTP where TLS is expected"};
    case SSL_R_WRONG_VERSION_NUMBER:
      return Error{Code::invalid, "the peer does not speak TLS"};
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return Error{Code::refused, "the peer offers no TLS 1.3"};
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return Error{Code::refused, "the peer showed no certificate"};
    case SSL_R_KEY_USAGE_BIT_INCORRECT:
      return Error{Code::refused,
                   "peer certificate lacks the key usage digitalSignature (is it a CA certificate?)"};
    default: {
      const char* text = ERR_reason_error_string(code);
      return Error{Code::invalid, str_cat("TLS: ", text == nullptr ? "unknown reason" : ascii_lower(text))};
    }
  }
}

std::unique_ptr<Handshake> handshake_client(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                            std::shared_ptr<const Context> context, ClientOptions options,
                                            HandshakeDone done) {
  WEFT_CHECK(!context->is_server());
  const bool names_somebody = options.expected_identity || !options.server_name.empty();
  auto handshake = std::make_unique<HandshakeImpl>(
      loop, PeerExpectation{Purpose::server, std::move(options.expected_identity), options.server_name},
      std::move(done));
  if (!names_somebody) {
    handshake->fail_at_once(std::move(inner), Error{Code::invalid,
                                                    "TLS client: neither a SPIFFE id nor a DNS name "
                                                    "to expect of the server"});
    return handshake;
  }
  bssl::UniquePtr<SSL> ssl(SSL_new(context->native()));
  if (!ssl || !offer_alpn(ssl.get(), options.alpn) ||
      (!options.server_name.empty() &&
       SSL_set_tlsext_host_name(ssl.get(), options.server_name.c_str()) != 1)) {
    handshake->fail_at_once(std::move(inner), Error{Code::invalid,
                                                    "TLS client: a server name or ALPN name cannot "
                                                    "be sent"});
    return handshake;
  }
  SSL_set_connect_state(ssl.get());
  handshake->begin(std::move(inner), std::move(context), std::move(ssl), {}, options.timeout);
  return handshake;
}

std::unique_ptr<Handshake> handshake_unverified_probe(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                                      const UnverifiedProbeOptions& options,
                                                      HandshakeDone done) {
  auto handshake =
      std::make_unique<HandshakeImpl>(loop, PeerExpectation{Purpose::server, {}, {}}, std::move(done));
  auto session = make_probe_session(options.server_name, options.tls13);
  if (!session) {
    handshake->fail_at_once(std::move(inner), session.error());
  } else if (!offer_alpn(session->get(), options.alpn)) {
    handshake->fail_at_once(std::move(inner), Error{Code::invalid, "TLS probe: no such ALPN name"});
  } else {
    handshake->begin(std::move(inner), nullptr, *std::move(session), {}, options.timeout);
  }
  return handshake;
}

std::unique_ptr<Handshake> handshake_server(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                            std::string already_read, std::shared_ptr<const Context> context,
                                            Duration timeout, HandshakeDone done) {
  WEFT_CHECK(context->is_server());
  auto handshake = std::make_unique<HandshakeImpl>(loop, PeerExpectation{}, std::move(done));
  bssl::UniquePtr<SSL> ssl(SSL_new(context->native()));
  WEFT_CHECK(ssl != nullptr);
  SSL_set_accept_state(ssl.get());
  handshake->begin(std::move(inner), std::move(context), std::move(ssl), std::move(already_read), timeout);
  return handshake;
}

}  // namespace weft::tls
