// A certificate authority for tests, on any loop: real TLS, real gRPC, and whatever answer a test wants.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/callback.h"
#include "http/grpc_server.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "tests/lib/tls/test_root.h"
#include "tls/tls_stream.h"

namespace weft::test {

class FakeCa {
 public:
  FakeCa(io::Loop& loop, const TestRoot& root, const Address& address);
  ~FakeCa();

  const Address& address() const { return listener_->local_address(); }
  // Its own certificate: by default for weft-ca.weft-system.svc and
  // spiffe://cluster.local/ns/weft-system/sa/weft-ca.
  void serve_as(const std::string& id, const std::string& dns_name);

  // What it answers with.
  std::optional<codec::GrpcStatus> refuse_with;
  std::optional<std::string> issue_for;  // another identity than the one asked for
  const TestRoot* issue_from = nullptr;  // another root than its own
  const TestRoot* reply_root = nullptr;  // the root at the end of the chain; null: its own
  Duration lifetime = std::chrono::hours(24);
  bool silent = false;

  std::vector<std::string> tokens;  // of all calls
  std::vector<std::int64_t> lifetimes_asked;

 private:
  void accepted(std::unique_ptr<io::Stream> stream);
  void answer(const http::GrpcRequest& request, std::string_view message, http::GrpcResponder responder);

  io::Loop& loop_;
  const TestRoot& root_;
  http::GrpcServer server_;
  std::shared_ptr<const tls::Context> context_;
  std::unique_ptr<io::Listener> listener_;
  std::map<int, std::unique_ptr<tls::Handshake>> handshakes_;
  int next_handshake_ = 0;
  std::vector<http::GrpcResponder> unanswered_;
  Anchor anchor_;
};

// Names from a table.
class FakeResolver final : public io::Resolver {
 public:
  explicit FakeResolver(io::Loop& loop) : loop_(loop) {}
  std::unique_ptr<io::Resolving> resolve(const std::string& name, Done done) override;

  std::map<std::string, std::vector<IpAddress>> names;

 private:
  io::Loop& loop_;
};

}  // namespace weft::test
