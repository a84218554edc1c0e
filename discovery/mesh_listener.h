// The port that sidecars connect to: accepts TCP, does mutual TLS with discovery's own certificate, and hands
// what was verified to the GrpcServer. A renewed certificate serves from the next connection on. Single
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "base/address.h"
#include "base/callback.h"
#include "base/result.h"
#include "http/grpc_server.h"
#include "io/loop.h"
#include "kube/workload_identity.h"
#include "tls/context.h"
#include "tls/tls_stream.h"

namespace weft::discovery {

class MeshListener {
 public:
  // `server` outlives this.
  MeshListener(io::Loop& loop, http::GrpcServer& server) : loop_(loop), server_(server) {}
  MeshListener(const MeshListener&) = delete;
  MeshListener& operator=(const MeshListener&) = delete;

  Status set_credentials(const kube::WorkloadCredentials& credentials);
  // REQUIRES: set_credentials() succeeded.
  Status listen(const Address& address);
  bool listening() const { return listener_ != nullptr; }
  const Address& local_address() const { return listener_->local_address(); }
  void stop() { listener_.reset(); }

  std::uint64_t handshakes_failed() const { return handshakes_failed_; }

 private:
  void accepted(std::unique_ptr<io::Stream> stream);
  void handshake_done(std::uint64_t number, const Address& peer,
                      Result<std::unique_ptr<tls::TlsStream>> stream);

  io::Loop& loop_;
  http::GrpcServer& server_;
  std::shared_ptr<const tls::Context> context_;
  std::map<std::uint64_t, std::unique_ptr<tls::Handshake>> handshakes_;
  std::uint64_t next_handshake_ = 0;
  std::uint64_t handshakes_failed_ = 0;
  std::unique_ptr<io::Listener> listener_;
  Anchor anchor_;
};

}  // namespace weft::discovery
