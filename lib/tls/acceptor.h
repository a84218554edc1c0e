// Listens, shakes hands and gives out verified streams: the front of every TLS server of the control plane.
// Lives on its loop's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "io/loop.h"
#include "tls/tls_stream.h"

namespace weft::tls {

class Acceptor {
 public:
  using Accepted = Function<void(std::unique_ptr<TlsStream>)>;
  using Refused = Function<void(const Address& peer, const Error& error)>;

  // Neither callback may destroy the acceptor.
  Acceptor(io::Loop& loop, Accepted accepted, Refused refused);

  // For the next connections; those there are go on with what they had. Before the first call they are
  // closed.
  void use(std::shared_ptr<const Context> context) { context_ = std::move(context); }

  Status listen(const Address& address, const io::ListenOptions& options = {});
  // No new connections; handshakes under way go on.
  void stop_listening() { listeners_.clear(); }
  // REQUIRES: a listen() succeeded.
  const Address& local_address() const { return listeners_.front()->local_address(); }
  std::size_t handshakes() const { return handshakes_.size(); }

  // Above this many handshakes at once, connections are closed unread.
  static constexpr std::size_t handshakes_max = 1024;

 private:
  void accept(std::unique_ptr<io::Stream> stream);
  void finish(std::uint64_t number, const Address& peer, Result<std::unique_ptr<TlsStream>> result);

  io::Loop& loop_;
  std::shared_ptr<const Context> context_;
  Accepted accepted_;
  Refused refused_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::uint64_t last_number_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Handshake>> handshakes_;
  Anchor anchor_;
};

}  // namespace weft::tls
