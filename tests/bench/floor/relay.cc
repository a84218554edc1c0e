#include "tests/bench/floor/relay.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>

#include "base/text.h"

namespace weft::bench {
namespace {

// So that one busy connection does not starve the others.
constexpr int chunks_per_turn = 16;
constexpr std::uint64_t failures_told_max = 10;

Result<Address> target_of(int accepted, const FloorOptions& options) {
  if (options.to) return *options.to;
  auto original = original_destination(accepted);
  if (original && options.to_port) original->port = *options.to_port;
  return original;
}

}  // namespace

void Relay::start(Descriptor accepted) {
  ++floor_.counts.connections;
  downstream_.socket = std::move(accepted);
  auto target = target_of(downstream_.socket.get(), floor_.options);
  if (!target) return static_cast<void>(fail(target.error()));
  target_ = *target;
  if (const Status added = floor_.poller.add(downstream_.socket.get(), stream_events, downstream_); !added) {
    return static_cast<void>(fail(added.error()));
  }
  if (floor_.options.role == Role::server) {
    // The application hears nothing of a caller that has not shown who it is.
    downstream_.tls.emplace(*floor_.tls, target_);
    downstream_.stage = Stage::handshaking;
  } else {
    downstream_.stage = Stage::open;
    connect_upstream();
  }
}

void Relay::connect_upstream() {
  auto socket = start_connect(target_);
  if (!socket) return static_cast<void>(fail(socket.error()));
  upstream_.socket = *std::move(socket);
  upstream_.stage = Stage::connecting;
  if (const Status added = floor_.poller.add(upstream_.socket.get(), stream_events, upstream_); !added) {
    fail(added.error());
  }
}

void Relay::ready(End& end, std::uint32_t events) {
  if (ended_) return;
  if (end.stage == Stage::connecting && !connected(end, events)) return;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    end.hung_up = true;
    // Nobody reads here any more, so nobody would find out.
    if (end.at_end && (events & EPOLLERR) != 0) {
      return static_cast<void>(fail(Error{Code::closed, {}}));
    }
  }
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0 && !end.at_end) end.readable = true;
  if (end.stage == Stage::handshaking) return shake_hands(end);
  if ((events & EPOLLOUT) != 0) {
    if (!end.outlet.flush(end.socket.get())) return static_cast<void>(broken("send"));
    if (!finish(end)) return;
    pump(other(end), end);
    if (ended_) return;
  }
  pump(end, other(end));
}

bool Relay::connected(End& end, std::uint32_t events) {
  if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return false;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    if (const Status outcome = connect_outcome(end.socket.get()); !outcome) {
      return fail(outcome.error().in(target_.to_string()));
    }
  }
  if (floor_.options.role == Role::client) {
    end.tls.emplace(*floor_.tls, target_);
    end.stage = Stage::handshaking;
  } else {
    end.stage = Stage::open;
  }
  return true;
}

void Relay::shake_hands(End& end) {
  Wire& wire = floor_.tls->wire();
  do {
    ssize_t count = 0;
    if (end.readable) {
      count = recv(end.socket.get(), floor_.incoming.data(), floor_.incoming.size(), 0);
      if (count == 0 || (count < 0 && errno != EAGAIN)) return static_cast<void>(handshake_failed(end));
      end.readable = false;
    }
    wire.feed({floor_.incoming.data(), count > 0 ? static_cast<std::size_t>(count) : 0});
    switch (end.tls->handshake()) {
      case TlsSession::Handshake::done:
        return handshake_done(end);
      case TlsSession::Handshake::failed:
        return static_cast<void>(handshake_failed(end));
      case TlsSession::Handshake::more:
        break;
    }
    if (!send_wire(end)) return;
    // No handshake is longer than the buffer, so only an end can be behind a read.
    end.readable = end.hung_up;
  } while (end.readable);
}

void Relay::handshake_done(End& end) {
  ++floor_.counts.handshakes;
  if (end.tls->resumed()) ++floor_.counts.resumed;
  end.stage = Stage::open;
  // More may have come already, and behind that an end.
  end.readable = end.hung_up;
  if (upstream_.stage == Stage::waiting) connect_upstream();
  if (ended_ || !decrypt(end, other(end))) return;
  // A client's last handshake message and what was waiting for it travel together.
  pump(other(end), end);
  if (!ended_ && send_wire(end)) pump(end, other(end));
}

void Relay::pump(End& from, End& to) {
  const std::size_t chunk = from.tls ? cipher_chunk_bytes : plain_chunk_bytes;
  for (int count = 0; from.readable; ++count) {
    if (from.stage != Stage::open || to.stage != Stage::open || to.outlet.blocked()) return;
    if (count == chunks_per_turn) return floor_.poller.change(from.socket.get(), stream_events, from);
    const ssize_t received = recv(from.socket.get(), floor_.incoming.data(), chunk, 0);
    if (received <= 0) {
      from.readable = false;
      if (received == 0) {
        if (from.tls) {
          fail(Error{Code::io, "TLS connection closed without close_notify"});
        } else {
          source_ended(from, to);
        }
      } else if (errno != EAGAIN) {
        broken("receive");
      }
      return;
    }
    const auto size = static_cast<std::size_t>(received);
    if (size < chunk && !from.hung_up) from.readable = false;
    if (!pass(from, to, {floor_.incoming.data(), size})) return;
  }
}

bool Relay::pass(End& from, End& to, std::string_view bytes) {
  if (from.tls) {
    floor_.tls->wire().feed(bytes);
    // A session may have something of its own to send, such as the answer to a key update.
    return decrypt(from, to) && send_wire(from);
  }
  if (!to.tls) return send(to, bytes);
  if (!to.tls->encrypt(bytes)) return fail(Error{Code::internal, str_cat("encrypt: ", tls_error())});
  return send_wire(to);
}

bool Relay::decrypt(End& from, End& to) {
  const auto result = from.tls->decrypt();
  if (!result.plain.empty() && !send(to, result.plain)) return false;
  if (result.failed) return fail(Error{Code::io, str_cat("TLS: ", tls_error())});
  return result.closed ? source_ended(from, to) : true;
}

bool Relay::send(End& to, std::string_view bytes) {
  if (to.stage != Stage::open) {
    to.outlet.keep(bytes);
    return true;
  }
  return to.outlet.send(to.socket.get(), bytes) || broken("send");
}

bool Relay::send_wire(End& to) {
  Wire& wire = floor_.tls->wire();
  const bool sent = wire.outgoing().empty() || to.outlet.send(to.socket.get(), wire.outgoing());
  wire.clear();
  return sent || broken("send");
}

bool Relay::source_ended(End& from, End& to) {
  from.at_end = true;
  from.readable = false;
  to.finishing = true;
  return finish(to);
}

bool Relay::finish(End& to) {
  if (!to.finishing || to.finished || to.stage != Stage::open || to.outlet.blocked()) return true;
  if (to.tls && !to.said_goodbye) {
    to.said_goodbye = true;
    to.tls->close_notify();
    if (!send_wire(to)) return false;
    if (to.outlet.blocked()) return true;
  }
  to.finished = true;
  if (other(to).finished) {
    end();
    return false;
  }
  shutdown(to.socket.get(), SHUT_WR);
  return true;
}

bool Relay::broken(std::string_view what) {
  const bool by_peer = errno == ECONNRESET || errno == EPIPE;
  return fail(by_peer ? Error{Code::closed, {}} : system_error(what));
}

bool Relay::fail(const Error& error) {
  for (const End* end : {&downstream_, &upstream_}) {
    if (end->socket.get() >= 0) reset_on_close(end->socket.get());
  }
  if (error.code == Code::closed) {
    ++floor_.counts.reset;
  } else if (floor_.counts.failed++ < failures_told_max) {
    std::fprintf(stderr, "weft-bench-floor: %s\n", error.message.c_str());
  }
  end();
  return false;
}

bool Relay::handshake_failed(End& end) {
  const Error error{Code::refused, str_cat("TLS handshake: ", tls_error())};
  end.outlet.send(end.socket.get(), floor_.tls->wire().outgoing());
  // By an ordinary close, for a reset would overtake the alert.
  end.socket.close();
  return fail(error);
}

void Relay::end() {
  ended_ = true;
  // What this session left there must not go out with the next one's.
  if (floor_.tls) floor_.tls->wire().clear();
  downstream_.socket.close();
  upstream_.socket.close();
  floor_.relays.end(*this);
}

}  // namespace weft::bench
