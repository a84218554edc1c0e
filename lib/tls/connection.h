// BoringSSL between two streams: bytes of the inner stream go in, plaintext comes out, and the other way
// round, with no buffer of its own but for what a paused reader leaves behind. Internal to lib/tls: first its
// handshake is driven by handshake.cc, then it is the TlsStream.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "base/buffer.h"
#include "tls/tls_stream.h"

namespace weft::tls {

// What the owner of a handshake under way hears. No call may destroy the connection.
class HandshakeEvents {
 public:
  virtual void handshake_done() = 0;
  // Nothing more will come of it. An alert for the peer may be queued in the inner stream.
  virtual void handshake_failed(const Error& error) = 0;
  // After a failure: the inner stream has sent everything, or is over.
  virtual void inner_flushed() = 0;
  virtual void inner_over() = 0;
  // The peer's certificates are to be checked; an alert number refuses them.
  virtual std::optional<std::uint8_t> verify_peer(std::vector<Certificate> chain) = 0;

 protected:
  ~HandshakeEvents() = default;
};

class Connection final : public TlsStream, private io::StreamHandler {
 public:
  Connection(io::Loop& loop, std::unique_ptr<io::Stream> inner, std::shared_ptr<const Context> context,
             bssl::UniquePtr<SSL> ssl, HandshakeEvents& events);

  // Begins the handshake. Does not call the events inline but for verify_peer.
  void begin(std::string_view already_read);
  void set_peer(PeerInfo peer) { peer_ = std::move(peer); }
  // The events object goes away; the connection is a stream from here.
  void handshake_taken() { events_ = nullptr; }
  // Sends FIN behind an alert.
  void end_inner() { inner_->end(); }

  void start(io::StreamHandler& handler) override;
  void pause() override;
  void resume() override;
  void detach() override;
  void write(std::string_view bytes) override;
  void end() override;
  void reset() override { inner_->reset(); }
  std::size_t queued_bytes() const override { return inner_->queued_bytes(); }
  const Address& local_address() const override { return inner_->local_address(); }
  const Address& peer_address() const override { return inner_->peer_address(); }
  Result<Address> original_destination() const override { return inner_->original_destination(); }
  bool idle_and_open() const override;
  const PeerInfo& peer() const override { return peer_; }
  const std::string& alpn() const override { return alpn_; }
  const std::shared_ptr<const Context>& context() const override { return context_; }

  // For SSL_CTX_set_custom_verify.
  static ssl_verify_result_t verify_peer_certificate(SSL* ssl, std::uint8_t* alert);

 private:
  enum class Phase { handshake, handshake_failed, open, failed };

  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override;
  void stream_failed(const Error& error) override;
  void stream_end_waits(std::uint64_t bytes_max) override;

  static const BIO_METHOD* bio_method();
  static int bio_read(BIO* bio, char* out, int size);
  static int bio_write(BIO* bio, const char* bytes, int size);

  void take(std::string_view bytes);
  void take_held();
  void schedule_take_held();
  void advance_handshake();
  void deliver();
  std::size_t record_bytes(std::size_t left);
  void fail_later(Error error);
  void report_failure();
  void update_inner();

  io::Loop& loop_;
  std::shared_ptr<const Context> context_;
  std::unique_ptr<io::Stream> inner_;
  bssl::UniquePtr<SSL> ssl_;
  HandshakeEvents* events_;
  io::StreamHandler* handler_ = nullptr;
  std::string_view incoming_;  // encrypted bytes while they are being taken in
  Buffer held_;                // encrypted bytes that nobody wanted yet
  PeerInfo peer_;
  std::string alpn_;
  std::optional<Error> failure_;  // to be reported
  MonotonicTime last_write_{};
  std::size_t small_bytes_left_;  // plaintext that still goes out in small records
  Phase phase_ = Phase::handshake;
  bool paused_ = true;
  bool inner_paused_ = true;
  bool taking_ = false;
  bool take_scheduled_ = false;
  bool read_ended_ = false;   // close_notify came
  bool write_ended_ = false;  // end() was called
  bool flushed_ = false;      // and all of it is with the kernel
  Anchor anchor_;
};

// The reason for the last failure of an SSL call on this thread, for people.
Error tls_error();

}  // namespace weft::tls
