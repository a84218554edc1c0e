#include "tests/bench/floor/tls.h"

#include <algorithm>
#include <cstring>

#include <openssl/err.h>

#include "base/check.h"

namespace weft::bench {

int Wire::read(BIO* bio, char* out, int size) {
  Wire& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::size_t count = std::min(wire.incoming_.size(), static_cast<std::size_t>(size));
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(out, wire.incoming_.data(), count);
  wire.incoming_.remove_prefix(count);
  return static_cast<int>(count);
}

int Wire::write(BIO* bio, const char* bytes, int size) {
  Wire& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::size_t count = static_cast<std::size_t>(size);
  if (wire.outgoing_.size() - wire.outgoing_size_ < count) return -1;
  std::memcpy(wire.outgoing_.data() + wire.outgoing_size_, bytes, count);
  wire.outgoing_size_ += count;
  return size;
}

TlsSession::TlsSession(TlsContext& context, const Address& peer)
    : context_(context), peer_(peer), ssl_(SSL_new(context.native_.get())) {
  WEFT_CHECK(ssl_ != nullptr);
  BIO_up_ref(context.bio_.get());
  SSL_set_bio(ssl_.get(), context.bio_.get(), context.bio_.get());
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_shed_handshake_config(ssl_.get(), 1);
  if (context.is_server_) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  if (const auto ticket = context.take_ticket(peer)) SSL_set_session(ssl_.get(), ticket.get());
}

TlsSession::Handshake TlsSession::handshake() {
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Handshake::done;
  return SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ ? Handshake::more : Handshake::failed;
}

TlsSession::Decrypted TlsSession::decrypt() {
  Decrypted result;
  std::size_t size = 0;
  // Asking once more to hear that nothing is left would cost an error on BoringSSL's queue every time.
  while (!context_.wire_.exhausted() || SSL_pending(ssl_.get()) > 0) {
    WEFT_CHECK(size < context_.plain_bytes());
    const int count =
        SSL_read(ssl_.get(), context_.plain() + size, static_cast<int>(context_.plain_bytes() - size));
    if (count > 0) {
      size += static_cast<std::size_t>(count);
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), count);
    result.closed = error == SSL_ERROR_ZERO_RETURN;
    result.failed = !result.closed && error != SSL_ERROR_WANT_READ;
    break;
  }
  result.plain = {context_.plain(), size};
  return result;
}

bool TlsSession::encrypt(std::string_view plain) {
  return SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size())) > 0;
}

std::string tls_error() {
  const std::uint32_t code = ERR_peek_last_error();
  if (code == 0) return "the peer closed the connection";
  std::array<char, 160> text{};
  ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

}  // namespace weft::bench
