#include "tls/connection.h"

#include <algorithm>
#include <array>

#include <openssl/pool.h>

#include "base/check.h"
#include "base/text.h"
#include "tls/boring.h"

namespace weft::tls {
namespace {

constexpr std::size_t record_bytes_max = SSL3_RT_MAX_PLAIN_LENGTH;
// A record that fits into one packet can be decrypted as soon as that packet is there; so the first bytes
// after a silence go out in such records, until about the initial congestion window is used up.
constexpr std::size_t small_record_bytes = 1400;
constexpr std::size_t small_bytes = 10 * small_record_bytes;
constexpr auto silence = std::chrono::seconds(1);

}  // namespace

Connection::Connection(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                       std::shared_ptr<const Context> context, bssl::UniquePtr<SSL> ssl,
                       HandshakeEvents& events)
    : loop_(loop),
      context_(std::move(context)),
      inner_(std::move(inner)),
      ssl_(std::move(ssl)),
      events_(&events),
      small_bytes_left_(small_bytes) {
  BIO* bio = BIO_new(bio_method());
  WEFT_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // takes the reference
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_shed_handshake_config(ssl_.get(), 1);
}

const BIO_METHOD* Connection::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index(), "weft stream");
    WEFT_CHECK(made != nullptr);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH; });
    return made;
  }();
  return method;
}

int Connection::bio_read(BIO* bio, char* out, int size) {
  auto* self = static_cast<Connection*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::size_t count = std::min(self->incoming_.size(), static_cast<std::size_t>(size));
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::copy_n(self->incoming_.data(), count, out);
  self->incoming_.remove_prefix(count);
  return static_cast<int>(count);
}

int Connection::bio_write(BIO* bio, const char* bytes, int size) {
  auto* self = static_cast<Connection*>(BIO_get_data(bio));
  self->inner_->write({bytes, static_cast<std::size_t>(size)});  // takes all; its owner watches writable()
  return size;
}

ssl_verify_result_t Connection::verify_peer_certificate(SSL* ssl, std::uint8_t* alert) {
  auto* self = static_cast<Connection*>(SSL_get_app_data(ssl));
  const STACK_OF(CRYPTO_BUFFER)* buffers = SSL_get0_peer_certificates(ssl);
  std::vector<Certificate> chain;
  for (std::size_t i = 0; i < sk_CRYPTO_BUFFER_num(buffers); ++i) {
    const CRYPTO_BUFFER* buffer = sk_CRYPTO_BUFFER_value(buffers, i);
    auto certificate = Certificate::from_der(view_of(CRYPTO_BUFFER_data(buffer), CRYPTO_BUFFER_len(buffer)));
    if (!certificate) {
      chain.clear();  // a chain with a broken part is no chain
      break;
    }
    chain.push_back(*std::move(certificate));
  }
  WEFT_CHECK(self->events_ != nullptr);
  const auto refused = self->events_->verify_peer(std::move(chain));
  if (!refused) return ssl_verify_ok;
  *alert = *refused;
  return ssl_verify_invalid;
}

// ---- handshake ----

void Connection::begin(std::string_view already_read) {
  held_.append(already_read);
  inner_paused_ = false;
  inner_->start(*this);
  schedule_take_held();  // also sends a client's first message
}

void Connection::advance_handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    const std::uint8_t* protocol = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &protocol, &length);
    alpn_ = std::string(view_of(protocol, length));
    phase_ = Phase::open;
    update_inner();
    events_->handshake_done();
    return;
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return;
  phase_ = Phase::handshake_failed;
  events_->handshake_failed(tls_error());
}

// ---- from the inner stream ----

void Connection::stream_data(std::string_view bytes) {
  if (phase_ == Phase::handshake_failed || phase_ == Phase::failed) return;
  if (read_ended_) return;  // RFC 8446 § 6.1: what follows close_notify is ignored
  if (taking_ || take_scheduled_ || !held_.empty()) {
    held_.append(bytes);
    return;
  }
  take(bytes);
}

// Takes in encrypted bytes as far as somebody wants them; the rest is held. This object may be gone
// afterwards.
void Connection::take(std::string_view bytes) {
  const auto alive = anchor_.watch();
  taking_ = true;
  incoming_ = bytes;
  if (phase_ == Phase::handshake) advance_handshake();
  if (phase_ == Phase::open) deliver();
  if (!alive()) return;
  taking_ = false;
  held_.append(std::exchange(incoming_, {}));
  update_inner();
}

void Connection::take_held() {
  take_scheduled_ = false;
  Buffer bytes;
  std::swap(bytes, held_);
  const auto alive = anchor_.watch();
  take(bytes.view());
  if (!alive()) return;
  // The reader may have resumed after the last bytes were looked at.
  if (!paused_ && !held_.empty() && phase_ == Phase::open) schedule_take_held();
}

void Connection::schedule_take_held() {
  if (take_scheduled_) return;
  take_scheduled_ = true;
  loop_.defer(anchor_.guard([this] { take_held(); }));
}

// Decrypts and hands up until nothing is left or the reader pauses. This object may be gone afterwards.
void Connection::deliver() {
  const auto alive = anchor_.watch();
  std::array<char, record_bytes_max> plain;  // not cleared: SSL_read says how much of it is used
  while (!paused_ && !read_ended_ && phase_ == Phase::open && !failure_) {
    ERR_clear_error();
    const int count = SSL_read(ssl_.get(), plain.data(), static_cast<int>(plain.size()));
    if (count > 0) {
      handler_->stream_data({plain.data(), static_cast<std::size_t>(count)});
      if (!alive()) return;
      continue;
    }
    switch (SSL_get_error(ssl_.get(), count)) {
      case SSL_ERROR_WANT_READ:
        return;
      case SSL_ERROR_ZERO_RETURN:
        read_ended_ = true;
        incoming_ = {};
        handler_->stream_end();
        return;
      default:
        failure_ = tls_error();
        incoming_ = {};
        report_failure();
        return;
    }
  }
}

void Connection::stream_end() {
  if (phase_ == Phase::handshake) {
    phase_ = Phase::handshake_failed;
    events_->handshake_failed(Error{Code::closed, "the peer closed the connection during the TLS handshake"});
    events_->inner_over();
  } else if (phase_ == Phase::handshake_failed) {
    if (events_ != nullptr) events_->inner_over();
  } else if (phase_ == Phase::open && !read_ended_) {
    failure_ = Error{Code::closed,
                     "the peer closed the connection without TLS close_notify: what it sent may be "
                     "cut short"};
    report_failure();
  }
}

void Connection::stream_drained() {
  if (phase_ == Phase::handshake_failed && events_ != nullptr) events_->inner_flushed();
  if (phase_ != Phase::open) return;
  if (write_ended_ && inner_->queued_bytes() == 0) flushed_ = true;
  if (handler_ != nullptr) handler_->stream_drained();
}

void Connection::stream_failed(const Error& error) {
  if (phase_ == Phase::handshake || phase_ == Phase::handshake_failed) {
    if (phase_ == Phase::handshake) events_->handshake_failed(error.in("TLS handshake"));
    phase_ = Phase::handshake_failed;
    if (events_ != nullptr) events_->inner_over();
    return;
  }
  if (phase_ == Phase::failed || (read_ended_ && flushed_)) return;
  if (!failure_) failure_ = error;
  report_failure();
}

// A record is longer than what is in it.
void Connection::stream_end_waits(std::uint64_t bytes_max) {
  if (phase_ != Phase::open || !paused_ || read_ended_ || handler_ == nullptr) return;
  const std::uint64_t begun = SSL_has_pending(ssl_.get()) != 0 ? SSL3_RT_MAX_ENCRYPTED_LENGTH : 0;
  handler_->stream_end_waits(bytes_max + held_.size() + begun);
}

// Tells the handler, if there is one already; otherwise start() will. This object may be gone afterwards.
void Connection::report_failure() {
  if (handler_ == nullptr || !failure_ || phase_ == Phase::failed) return;
  phase_ = Phase::failed;
  held_.clear();
  const Error error = *std::exchange(failure_, std::nullopt);
  handler_->stream_failed(error);
}

void Connection::fail_later(Error error) {
  if (failure_ || phase_ == Phase::failed) return;
  failure_ = std::move(error);
  loop_.defer(anchor_.guard([this] { report_failure(); }));
}

// ---- from the owner ----

void Connection::start(io::StreamHandler& handler) {
  handler_ = &handler;
  resume();
  if (failure_) loop_.defer(anchor_.guard([this] { report_failure(); }));
}

void Connection::pause() {
  paused_ = true;
  if (!taking_) update_inner();
}

void Connection::detach() {
  handler_ = nullptr;
  pause();
}

void Connection::resume() {
  paused_ = false;
  if (taking_) return;  // the loop in deliver() sees it
  if (!held_.empty() || SSL_has_pending(ssl_.get()) != 0) {
    schedule_take_held();
  } else {
    update_inner();
  }
}

// The inner stream is read while somebody wants its bytes and none are held.
void Connection::update_inner() {
  const bool pause =
      phase_ == Phase::failed || (phase_ == Phase::open && (paused_ || take_scheduled_ || !held_.empty()));
  if (pause == inner_paused_) return;
  inner_paused_ = pause;
  if (pause) {
    inner_->pause();
  } else {
    inner_->resume();
  }
}

std::size_t Connection::record_bytes(std::size_t left) {
  if (small_bytes_left_ == 0) return std::min(left, record_bytes_max);
  const std::size_t size = std::min(left, small_record_bytes);
  small_bytes_left_ -= std::min(small_bytes_left_, size);
  return size;
}

void Connection::write(std::string_view bytes) {
  if (phase_ != Phase::open || write_ended_ || failure_) return;
  if (loop_.now() - last_write_ > silence) small_bytes_left_ = small_bytes;
  last_write_ = loop_.now();
  while (!bytes.empty()) {
    const std::size_t size = record_bytes(bytes.size());
    ERR_clear_error();
    const int count = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(size));
    if (count <= 0) {
      fail_later(tls_error());
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Connection::end() {
  if (write_ended_ || phase_ != Phase::open) return;
  write_ended_ = true;
  if (failure_) return;
  ERR_clear_error();
  if (SSL_shutdown(ssl_.get()) < 0) {
    fail_later(tls_error());
    return;
  }
  inner_->end();
}

bool Connection::idle_and_open() const {
  if (phase_ != Phase::open || failure_ || read_ended_ || write_ended_) return false;
  // What waits for a probe are the session tickets of a server outside the mesh (we send none); its
  // connection is used at once and once only.
  if (context_ == nullptr) return true;
  return held_.empty() && SSL_has_pending(ssl_.get()) == 0 && inner_->idle_and_open();
}

const PeerInfo* peer_of(const io::Stream& stream) {
  const auto* const secured = dynamic_cast<const TlsStream*>(&stream);
  return secured == nullptr ? nullptr : &secured->peer();
}

}  // namespace weft::tls
