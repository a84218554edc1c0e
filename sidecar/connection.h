// One accepted connection, outbound or inbound, from accept to close: what both directions have in common.
// Owned by its Worker, on its thread.
#pragma once

#include <memory>
#include <string_view>

#include "base/address.h"
#include "base/callback.h"
#include "io/loop.h"
#include "sidecar/first_word.h"
#include "sidecar/http_downstream.h"
#include "sidecar/preread.h"
#include "sidecar/records.h"
#include "sidecar/tunnel.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

class Connection;

class ConnectionOwner {
 public:
  // The connection is over; the owner deletes it at the end of the loop turn.
  virtual void connection_over(Connection& connection) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection {
 public:
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // A new configuration is in force: waiters look again, and what it no longer permits ends.
  virtual void config_changed() = 0;
  // Notes in WorkerContext::used_addresses where it goes.
  virtual void note_use() = 0;
  // Finish what is under way, take nothing new.
  virtual void drain() = 0;
  // A root that was trusted no longer is: what was made under it ends, and is made anew under what is trusted
  // now.
  virtual void root_removed() = 0;

 protected:
  // `destination`: where it went before it was redirected.
  Connection(WorkerContext& context, ConnectionOwner& owner, std::unique_ptr<io::Stream> downstream,
             const Address& destination, Direction direction);

  // ---- what the directions do in their own way ----
  // Reads until the client has said enough, or was silent so long.
  virtual void preread(Duration patience) = 0;
  virtual void serve_http() = 0;
  // Connects for opaque TCP, ends in upstream_connected() or refuse(). Sets opening_.
  virtual void open_upstream() = 0;
  virtual void drop_upstream();
  // What the server at `destination_` is known by; see ServerFirst.
  virtual ServerFirst::Basis basis() const = 0;
  virtual void joined() {}

  // ---- an undeclared protocol ----
  // How long a silence says that it is the server who speaks first.
  Duration silence() const;
  // Whoever speaks first decides: the client is read on while the upstream is opened.
  void await_first_word(Preread::Result read);
  virtual void client_spoke(Preread::Result read);
  void take(Preread::Result read);
  // Of a port that is declared HTTP, where the client speaks first, and only the version is open.
  void await_http(Preread::Result read);
  void upstream_connected(std::unique_ptr<io::Stream> upstream);

  void serve_http(Gate& gate);

  // ---- the end ----
  // Says that weft itself ends it, and why; the first reason stays.
  void note_end(std::string_view reason, std::string_view why = {});
  void refuse(std::string_view reason, std::string_view text);
  void over(std::string_view reason);

  WorkerContext& context_;
  ConnectionOwner& owner_;
  const Address destination_;
  ConnectionRecord record_;
  MonotonicTime started_;
  bool over_ = false;
  bool declared_http_ = false;
  http::HttpProtocol protocol_ = http::HttpProtocol::http1;  // once it is known to be HTTP
  bool opening_ = false;                                     // an upstream is asked for, or here
  std::string_view ended_by_;                                // why weft itself ended it; empty: it did not
  TunnelStart start_;
  std::unique_ptr<io::Stream> downstream_;  // while nobody else has it
  std::unique_ptr<Preread> preread_;
  std::unique_ptr<FirstWord> first_word_;
  std::unique_ptr<io::Connecting> connecting_;
  std::unique_ptr<io::Stream> upstream_;  // before it is joined
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<HttpDownstream> http_;

 private:
  void http_closed(const Error* error);
  void first_word_done(FirstWord::Result result);
  void join();

 protected:
  Anchor anchor_;
};

}  // namespace weft::sidecar
