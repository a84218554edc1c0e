// Two sockets, one on each side, and the bytes between them; one of the two may be TLS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/bench/floor/options.h"
#include "tests/bench/floor/tls.h"
#include "tests/bench/net/crowd.h"
#include "tests/bench/net/outlet.h"
#include "tests/bench/net/poller.h"
#include "tests/bench/net/sockets.h"

namespace weft::bench {

struct FloorCounts {
  std::uint64_t connections = 0;
  std::uint64_t handshakes = 0;
  std::uint64_t resumed = 0;  // of the handshakes
  std::uint64_t reset = 0;    // connections that one side broke off
  std::uint64_t failed = 0;   // connections that ended by an error of another kind
};

class Relay;

// What all relays of the process share.
struct Floor {
  FloorOptions options;
  Poller poller;
  std::unique_ptr<TlsContext> tls;  // null for Role::plain
  Crowd<Relay> relays;
  FloorCounts counts;
  std::array<char, cipher_chunk_bytes> incoming;  // what was received last; nobody keeps it
};

class Relay {
 public:
  explicit Relay(Floor& floor) : floor_(floor), downstream_(*this), upstream_(*this) {}
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void start(Descriptor accepted);

  std::size_t place = 0;

 private:
  enum class Stage : std::uint8_t { waiting, connecting, handshaking, open };

  struct End final : Pollable {
    explicit End(Relay& owner) : relay(owner) {}
    void ready(std::uint32_t events) override { relay.ready(*this, events); }

    Relay& relay;
    Descriptor socket;
    std::optional<TlsSession> tls;
    Outlet outlet;
    Stage stage = Stage::waiting;
    bool readable = false;      // as far as edge-triggered epoll has said
    bool hung_up = false;       // a short read is then not the last one
    bool at_end = false;        // nothing more comes from here
    bool finishing = false;     // nothing more goes out here, once the outlet is empty
    bool said_goodbye = false;  // close_notify is on its way
    bool finished = false;      // and all is sent
  };

  End& other(const End& end) { return &end == &downstream_ ? upstream_ : downstream_; }

  void ready(End& end, std::uint32_t events);
  void connect_upstream();
  bool connected(End& end, std::uint32_t events);
  void shake_hands(End& end);
  void handshake_done(End& end);

  // Moves what can be read at `from` to `to`, as far as `to` takes it.
  void pump(End& from, End& to);
  bool pass(End& from, End& to, std::string_view bytes);
  // Each returns false when the relay has ended.
  bool decrypt(End& from, End& to);
  bool send(End& to, std::string_view bytes);
  bool send_wire(End& to);
  bool source_ended(End& from, End& to);
  bool finish(End& to);

  bool broken(std::string_view what);  // by errno
  bool fail(const Error& error);       // both sides see a reset
  bool handshake_failed(End& end);     // the TLS side sees the alert
  void end();

  Floor& floor_;
  Address target_;
  End downstream_;
  End upstream_;
  bool ended_ = false;
};

}  // namespace weft::bench
