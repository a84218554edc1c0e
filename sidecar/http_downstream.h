// A downstream connection that speaks HTTP: hands each request to its Gate and makes an Exchange of it. Owned
// by the outbound or inbound connection that found out that it is HTTP; lives on the worker's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "http/server_connection.h"
#include "sidecar/exchange.h"
#include "sidecar/gate.h"
#include "sidecar/records.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

class HttpDownstream final : http::ServerConnectionHandler, http::RefusalHandler, ExchangeOwner {
 public:
  // `gate` outlives this. `closed` runs once, when the connection is over, with what broke it if it did not
  // end in order; its owner then deletes this.
  HttpDownstream(WorkerContext& context, Gate& gate, http::HttpProtocol protocol,
                 std::unique_ptr<io::Stream> stream, std::string already_read, PeersRecord peers,
                 Function<void(const Error*)> closed);
  ~HttpDownstream();

  void drain() { connection_->drain(); }
  void refuse_new() { connection_->refuse_new(); }
  // Ends its tunnels at once; what else the connection carries goes on.
  void end_tunnels(std::string_view reason);
  // Those that the gate would not let pass again. Returns whether there were any.
  bool end_refused_tunnels(std::string_view reason);
  // Those whose upstream was trusted for its certificate.
  void end_meshed_tunnels(std::string_view reason);

 private:
  class Refused;

  bool end_tunnels(std::string_view reason, const Function<bool(const Exchange&)>& chosen);
  http::ServerExchangeHandler& request_begins(http::ServerExchange& exchange, codec::RequestHead&& head,
                                              bool end) override;
  void connection_closed(const Error* error) override { closed_(error); }
  void request_refused(const codec::Http1Error& error, codec::ResponseHead& reply) override;
  void request_reset(std::string_view why) override;
  void no_request(int status, std::string_view why);
  void exchange_over(Exchange& exchange) override;
  void refused_over(Refused& refused);

  WorkerContext& context_;
  Gate& gate_;
  http::HttpProtocol protocol_;
  PeersRecord peers_;
  Function<void(const Error*)> closed_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<std::unique_ptr<Refused>> refused_;
  std::unique_ptr<http::ServerConnection> connection_;
};

}  // namespace weft::sidecar
