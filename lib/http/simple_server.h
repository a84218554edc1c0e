// A small HTTP server for what a process says of itself: metrics, admin, readiness, webhooks. Whole requests
// in, whole replies out, bodies bounded. Plaintext on a listener of its own, or on ready streams (TLS) handed
// to it. Lives on its loop's thread; its owner destroys it after the last accepted stream may go.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/callback.h"
#include "codec/message.h"
#include "io/loop.h"

namespace weft::http {

struct SimpleRequest {
  codec::RequestHead head;
  std::string body;
  Address peer;
};

struct SimpleReply {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  codec::Headers headers;  // further ones
};

class SimpleServer {
 public:
  // Owed exactly once per request, now or later on the same thread; after the caller went away it does
  // nothing.
  using Respond = Function<void(SimpleReply)>;
  using Handle = Function<void(const SimpleRequest& request, Respond respond)>;

  SimpleServer(io::Loop& loop, Handle handle, std::size_t body_bytes_max = 64 * 1024);
  ~SimpleServer();
  SimpleServer(const SimpleServer&) = delete;
  SimpleServer& operator=(const SimpleServer&) = delete;

  Status listen(const Address& address);
  const Address& local_address() const;  // REQUIRES: listen() succeeded
  void accept(std::unique_ptr<io::Stream> stream);
  std::size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  friend class Connection;
  void closed(Connection& connection);

  io::Loop& loop_;
  Handle handle_;
  std::size_t body_bytes_max_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Anchor anchor_;
};

// `path` of a request target, without its query.
std::string_view path_of(std::string_view target);

}  // namespace weft::http
