#include "sidecar/http_downstream.h"

#include <algorithm>

#include "base/text.h"
#include "sidecar/forwarded_headers.h"
#include "sidecar/telemetry.h"

namespace weft::sidecar {
namespace {

std::string protocol_name(codec::Version version) {
  switch (version) {
    case codec::Version::http10:
      return "HTTP/1.0";
    case codec::Version::http11:
      return "HTTP/1.1";
    case codec::Version::http2:
      return "HTTP/2";
  }
  return "HTTP/1.1";
}

template <class T>
std::unique_ptr<T> take(std::vector<std::unique_ptr<T>>& owned, T& wanted) {
  const auto found =
      std::find_if(owned.begin(), owned.end(), [&](const auto& item) { return item.get() == &wanted; });
  std::unique_ptr<T> taken = std::move(*found);
  owned.erase(found);
  return taken;
}

}  // namespace

// A request that the gate turned away: answered at once, its body not read.
class HttpDownstream::Refused final : public http::ServerExchangeHandler {
 public:
  Refused(HttpDownstream& owner, http::ServerExchange& exchange, const codec::RequestHead& head, bool end,
          const LocalReply& reply, RequestRecord record)
      : owner_(owner), record_(std::move(record)), started_(owner.context_.loop.now()) {
    record_.status = reply.status;
    record_.reason = reply.reason;
    if (record_.grpc) record_.grpc_status = grpc_status(reply);
    if (!end) exchange.abandon_request();
    send_local_reply(exchange, head, reply);
  }

 private:
  void request_body(std::string_view) override {}
  void request_end(const codec::Headers&) override {}
  void response_drained() override {}
  void exchange_finished() override { over(); }
  void exchange_aborted(const Error&) override { over(); }
  void over() {
    record_.duration = owner_.context_.loop.now() - started_;
    owner_.context_.telemetry.request_done(record_);
    owner_.refused_over(*this);
  }

  HttpDownstream& owner_;
  RequestRecord record_;
  MonotonicTime started_;
};

HttpDownstream::HttpDownstream(WorkerContext& context, Gate& gate, http::HttpProtocol protocol,
                               std::unique_ptr<io::Stream> stream, std::string already_read,
                               PeersRecord peers, Function<void(const Error*)> closed)
    : context_(context),
      gate_(gate),
      protocol_(protocol),
      peers_(std::move(peers)),
      closed_(std::move(closed)) {
  http::ServerOptions options;
  options.refusals = this;
  if (peers_.from_sidecar) {
    options.limits = codec::mesh_peer_limits;
    options.ping_when_silent = true;
  }
  const auto make = protocol == http::HttpProtocol::http2 ? http::make_http2_server_connection
                                                          : http::make_http1_server_connection;
  connection_ = make(context.loop, std::move(stream), *this, options, std::move(already_read));
}

HttpDownstream::~HttpDownstream() = default;

http::ServerExchangeHandler& HttpDownstream::request_begins(http::ServerExchange& exchange,
                                                            codec::RequestHead&& head, bool end) {
  RequestRecord record;
  record.peers = peers_;
  record.started = context_.loop.wall_now();
  record.method = head.method;
  record.authority = head.authority;
  record.protocol = protocol_name(head.version);
  record.grpc = is_grpc(head.headers);
  const bool over_tls = peers_.direction == Direction::inbound && peers_.mutual_tls;
  complete_forwarded_headers(head.headers, over_tls ? "https" : "http", context_.random);
  record.request_id = head.headers.get("x-request-id").value_or("");
  Admission admission = gate_.admit(head, record);
  if (admission.reply) {
    refused_.push_back(
        std::make_unique<Refused>(*this, exchange, head, end, *admission.reply, std::move(record)));
    return *refused_.back();
  }
  ExchangeOwner& owner = *this;
  exchanges_.push_back(std::make_unique<Exchange>(context_, owner, exchange, std::move(head), end,
                                                  std::move(admission), std::move(record)));
  return *exchanges_.back();
}

void HttpDownstream::request_refused(const codec::Http1Error& error, codec::ResponseHead& reply) {
  reply.headers.set("x-weft-error", "bad-request");
  no_request(reply.status, error.message);
}

void HttpDownstream::request_reset(std::string_view why) { no_request(0, why); }

// What came could not be made a request: nobody but log and metrics hears of it.
void HttpDownstream::no_request(int status, std::string_view why) {
  RequestRecord record;
  record.peers = peers_;
  record.started = context_.loop.wall_now();
  record.status = status;
  record.reason = str_cat("bad-request: ", why);
  record.protocol =
      protocol_name(protocol_ == http::HttpProtocol::http2 ? codec::Version::http2 : codec::Version::http11);
  context_.telemetry.request_done(record);
}

void HttpDownstream::exchange_over(Exchange& exchange) {
  context_.loop.delete_later(take(exchanges_, exchange));
}

void HttpDownstream::refused_over(Refused& refused) { context_.loop.delete_later(take(refused_, refused)); }

bool HttpDownstream::end_tunnels(std::string_view reason, const Function<bool(const Exchange&)>& chosen) {
  bool any = false;
  for (const auto& exchange : exchanges_) {
    if (!exchange->is_tunnel() || !chosen(*exchange)) continue;
    exchange->revoke(reason);
    any = true;
  }
  return any;
}

bool HttpDownstream::end_refused_tunnels(std::string_view reason) {
  return end_tunnels(reason, [this](const Exchange& exchange) { return !gate_.permits(exchange.request()); });
}

void HttpDownstream::end_meshed_tunnels(std::string_view reason) {
  end_tunnels(reason, [](const Exchange& exchange) { return exchange.upstream_meshed(); });
}

void HttpDownstream::end_tunnels(std::string_view reason) {
  end_tunnels(reason, [](const Exchange&) { return true; });
}

}  // namespace weft::sidecar
