#include "http/simple_server.h"

#include <algorithm>

#include "base/text.h"
#include "http/server_connection.h"

namespace weft::http {
namespace {

constexpr std::size_t connections_max = 256;

}  // namespace

// One request at a time: HTTP/1 hands up the next only when this one is answered.
class SimpleServer::Connection final : ServerConnectionHandler, ServerExchangeHandler {
 public:
  Connection(SimpleServer& server, std::unique_ptr<io::Stream> stream) : server_(server) {
    ServerOptions options;
    options.answer_expect = true;
    request_.peer = stream->peer_address();
    connection_ = make_http1_server_connection(server.loop_, std::move(stream), *this, options, {});
  }

 private:
  ServerExchangeHandler& request_begins(ServerExchange& exchange, codec::RequestHead&& head,
                                        bool end) override {
    exchange_ = &exchange;
    request_.head = std::move(head);
    request_.body.clear();
    if (end) handle();
    return *this;
  }
  void request_body(std::string_view bytes) override {
    if (!exchange_) return;
    if (request_.body.size() + bytes.size() > server_.body_bytes_max_) {
      exchange_->close_after();
      return reply(
          SimpleReply{413, str_cat("the body is longer than ", server_.body_bytes_max_, " bytes\n"), {}, {}});
    }
    request_.body.append(bytes);
  }
  void request_end(const codec::Headers&) override {
    if (exchange_) handle();
  }
  void response_drained() override {}
  void exchange_finished() override { exchange_ = nullptr; }
  void exchange_aborted(const Error&) override { exchange_ = nullptr; }
  void connection_closed(const Error*) override { server_.closed(*this); }

  void handle() {
    server_.handle_(request_, replies_.guard([this](SimpleReply answer) { reply(std::move(answer)); }));
  }

  void reply(SimpleReply answer) {
    replies_.drop();
    if (!exchange_) return;
    ServerExchange& exchange = *std::exchange(exchange_, nullptr);
    codec::ResponseHead head;
    head.status = answer.status;
    head.headers = std::move(answer.headers);
    if (!answer.content_type.empty()) head.headers.set("content-type", answer.content_type);
    head.headers.set("content-length", std::to_string(answer.body.size()));
    const bool bodiless = request_.head.method == "HEAD" || answer.body.empty();
    exchange.send_head(head, bodiless);
    if (bodiless) return;
    exchange.send_body(answer.body);
    exchange.send_end({});
  }

  SimpleServer& server_;
  SimpleRequest request_;
  ServerExchange* exchange_ = nullptr;
  std::unique_ptr<ServerConnection> connection_;
  Anchor replies_;
};

SimpleServer::SimpleServer(io::Loop& loop, Handle handle, std::size_t body_bytes_max)
    : loop_(loop), handle_(std::move(handle)), body_bytes_max_(body_bytes_max) {}

SimpleServer::~SimpleServer() = default;

Status SimpleServer::listen(const Address& address) {
  io::ListenOptions options;
  options.only_v6 = address.ip.is_v6();
  auto listener =
      loop_.listen(address, options,
                   anchor_.guard([this](std::unique_ptr<io::Stream> stream) { accept(std::move(stream)); }));
  if (!listener) return fail(listener.error());
  listeners_.push_back(*std::move(listener));
  return {};
}

const Address& SimpleServer::local_address() const { return listeners_.front()->local_address(); }

void SimpleServer::accept(std::unique_ptr<io::Stream> stream) {
  // Beyond the limit the newest is turned away: whoever is served is served well.
  if (connections_.size() >= connections_max) return;
  connections_.push_back(std::make_unique<Connection>(*this, std::move(stream)));
}

void SimpleServer::closed(Connection& connection) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const auto& owned) { return owned.get() == &connection; });
  if (found == connections_.end()) return;
  loop_.delete_later(std::move(*found));
  connections_.erase(found);
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

}  // namespace weft::http
