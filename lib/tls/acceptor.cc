#include "tls/acceptor.h"

namespace weft::tls {

Acceptor::Acceptor(io::Loop& loop, Accepted accepted, Refused refused)
    : loop_(loop), accepted_(std::move(accepted)), refused_(std::move(refused)) {}

Status Acceptor::listen(const Address& address, const io::ListenOptions& options) {
  auto listener =
      loop_.listen(address, options,
                   anchor_.guard([this](std::unique_ptr<io::Stream> stream) { accept(std::move(stream)); }));
  if (!listener) return fail(listener.error());
  listeners_.push_back(*std::move(listener));
  return {};
}

void Acceptor::accept(std::unique_ptr<io::Stream> stream) {
  const Address peer = stream->peer_address();
  if (!context_) return refused_(peer, Error{Code::unavailable, "no certificate to serve with yet"});
  if (handshakes_.size() >= handshakes_max) {
    return refused_(peer, Error{Code::limit, "too many TLS handshakes at once"});
  }
  const std::uint64_t number = ++last_number_;
  handshakes_[number] =
      handshake_server(loop_, std::move(stream), {}, context_, limits::handshake_timeout,
                       anchor_.guard([this, number, peer](Result<std::unique_ptr<TlsStream>> result) {
                         finish(number, peer, std::move(result));
                       }));
}

void Acceptor::finish(std::uint64_t number, const Address& peer, Result<std::unique_ptr<TlsStream>> result) {
  handshakes_.erase(number);
  if (result) {
    accepted_(*std::move(result));
  } else {
    refused_(peer, result.error());
  }
}

}  // namespace weft::tls
