// A connected byte stream: TCP, a Unix socket, TLS over one of them (tls/tls_stream.h), or simulated.
// Owned by whoever got it from connect() or accept; destroying it closes at once (unsent bytes are dropped).
// Lives on its loop's thread. Callbacks never run inside a call of the stream's own methods, except where a
// TLS stream hands up what its inner stream delivers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/address.h"
#include "base/result.h"

namespace weft::io {

class StreamHandler {
 public:
  // Bytes arrived; the view lives during the call only.
  virtual void stream_data(std::string_view bytes) = 0;
  // The peer will send no more (FIN, TLS close_notify). Writing may go on.
  virtual void stream_end() = 0;
  // queued_bytes() fell below limits::write_low_bytes after it had been above limits::write_high_bytes. After
  // end() instead, and only once: everything including the FIN has been handed to the kernel, so the stream
  // may be destroyed without losing a byte.
  virtual void stream_drained() = 0;
  // The stream failed: reset, broken, protocol error. Last callback, exactly once, and not after a clean end
  // of both directions. Also told while paused, a second or two later; what was not read is lost then. The
  // handler may destroy the stream in it.
  virtual void stream_failed(const Error& error) = 0;
  // While paused, every second: the peer has sent its last, and stream_end() is behind no more than
  // `bytes_max`. Harmless to who has all that it needs, or does not know how much that is.
  virtual void stream_end_waits(std::uint64_t bytes_max) { static_cast<void>(bytes_max); }

 protected:
  ~StreamHandler() = default;
};

class Stream {
 public:
  virtual ~Stream() = default;

  // Begins (or goes on) delivering to `handler`, which outlives the stream or is replaced first. Bytes not
  // yet read stay in the kernel. May be called again with another handler, also from a callback: that is how
  // a connection is handed on after its protocol was detected.
  virtual void start(StreamHandler& handler) = 0;
  virtual void pause() = 0;  // no more stream_data / stream_end until resume()
  virtual void resume() = 0;
  // Pauses, and calls nobody until start(): for who hands the stream on and goes.
  virtual void detach() = 0;

  // Queues `bytes`; what was queued in one loop turn leaves in one writev at its end. After a failure:
  // ignored.
  virtual void write(std::string_view bytes) = 0;
  // Sends FIN (TLS: close_notify, then FIN) behind what is queued. Idempotent.
  virtual void end() = 0;
  // Makes the close that follows a hard one: the peer sees RST.
  virtual void reset() = 0;
  virtual std::size_t queued_bytes() const = 0;  // accepted by write(), not yet by the kernel
  // Exactly at the mark is still writable: only above it does stream_drained() follow.
  bool writable() const { return queued_bytes() <= write_high(); }

  virtual const Address& local_address() const = 0;
  virtual const Address& peer_address() const = 0;
  // The address before iptables redirected the connection (SO_ORIGINAL_DST). not_found where there is none.
  virtual Result<Address> original_destination() const = 0;
  // True when nothing is waiting in the kernel and the peer has not closed: a look before a pooled connection
  // is used again.
  virtual bool idle_and_open() const = 0;

 private:
  static std::size_t write_high();
};

}  // namespace weft::io
