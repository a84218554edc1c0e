// BoringSSL with as little between it and the sockets as possible: all sessions share one BIO over two
// buffers, so that a system call carries many records, and no session holds a buffer of its own while it is
// idle.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

#include "base/address.h"
#include "base/result.h"

namespace weft::bench {

// Full records, in plaintext and as they stand on the wire (header, content type and tag make 22 bytes).
// Measured against 4 and 8 of them: with 16 bulk costs a tenth to a fifth less, for the system calls are
// fewer and all of it still fits into the second-level cache.
constexpr std::size_t chunk_records = 16;
constexpr std::size_t plain_chunk_bytes = chunk_records * std::size_t{16 * 1024};
constexpr std::size_t cipher_chunk_bytes = chunk_records * std::size_t{16 * 1024 + 22};

// What one session reads and writes during one call; between calls it is empty.
class Wire {
 public:
  void feed(std::string_view incoming) { incoming_ = incoming; }
  bool exhausted() const { return incoming_.empty(); }
  std::string_view outgoing() const { return {outgoing_.data(), outgoing_size_}; }
  void clear() { incoming_ = {}, outgoing_size_ = 0; }

  // A BIO's callbacks.
  static int read(BIO* bio, char* out, int size);
  static int write(BIO* bio, const char* bytes, int size);

 private:
  std::string_view incoming_;
  std::size_t outgoing_size_ = 0;
  // A chunk in records, and beside it a handshake flight or alerts.
  std::array<char, 2 * cipher_chunk_bytes> outgoing_;
};

class TlsSession;

// Identity, trust and tickets of this process.
class TlsContext {
 public:
  struct Files {
    std::string certificate, key, ca;
  };
  static Result<std::unique_ptr<TlsContext>> make(const Files& files, bool is_server, bool resume);

  Wire& wire() { return wire_; }
  // Room for what one feed of the wire decrypts to, with what was left of a record before.
  char* plain() { return plain_.data(); }
  std::size_t plain_bytes() const { return plain_.size(); }

 private:
  friend class TlsSession;
  TlsContext() = default;

  Status load(const Files& files);
  void configure(bool is_server, bool resume);
  bssl::UniquePtr<SSL_SESSION> take_ticket(const Address& peer);
  static ssl_verify_result_t verify(SSL* ssl, std::uint8_t* alert);
  static int keep_ticket(SSL* ssl, SSL_SESSION* session);

  bssl::UniquePtr<SSL_CTX> native_;
  bssl::UniquePtr<X509_STORE> roots_;
  bssl::UniquePtr<BIO> bio_;
  bool is_server_ = false;
  std::map<Address, std::vector<bssl::UniquePtr<SSL_SESSION>>> tickets_;
  Wire wire_;
  std::array<char, plain_chunk_bytes + std::size_t{32 * 1024}> plain_;
};

// One connection. Reads what the wire was fed with, leaves on the wire what is to be sent.
class TlsSession {
 public:
  // `peer` is whom tickets are for. Borrows `context`.
  TlsSession(TlsContext& context, const Address& peer);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Handshake { done, more, failed };
  Handshake handshake();
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

  struct Decrypted {
    std::string_view plain;
    bool closed = false;  // the peer sends nothing more
    bool failed = false;
  };
  Decrypted decrypt();
  bool encrypt(std::string_view plain);
  void close_notify() { SSL_shutdown(ssl_.get()); }

 private:
  friend class TlsContext;

  TlsContext& context_;
  Address peer_;
  bssl::UniquePtr<SSL> ssl_;
};

// What BoringSSL has to say about the last failure.
std::string tls_error();

}  // namespace weft::bench
