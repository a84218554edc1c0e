#include "http/grpc_server.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/grpc_health.h"
#include "http/grpc_server_connection.h"

namespace weft::http {

GrpcServer::GrpcServer(io::Loop& loop, GrpcServerOptions options)
    : loop_(loop), options_(options), health_(std::make_unique<GrpcHealth>()) {
  add_unary("/grpc.health.v1.Health/Check", health_->check_handler());
  add_stream("/grpc.health.v1.Health/Watch", health_->watch_factory());
}

GrpcServer::~GrpcServer() = default;

void GrpcServer::add_unary(std::string_view method, GrpcUnaryHandler handler) {
  add(method, Method{std::move(handler), nullptr});
}

void GrpcServer::add_stream(std::string_view method, GrpcStreamFactory factory) {
  add(method, Method{nullptr, std::move(factory)});
}

void GrpcServer::add(std::string_view path, Method method) {
  const std::size_t slash = path.rfind('/');
  WEFT_CHECK(path.starts_with('/') && slash > 1 && slash + 1 < path.size());
  WEFT_CHECK(methods_.emplace(path, std::move(method)).second);
  health_->add_service(path.substr(1, slash - 1));
}

void GrpcServer::set_serving(std::string_view service, bool serving) {
  health_->set(service, serving && !draining_);
}

const GrpcServer::Method* GrpcServer::find(std::string_view path) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : &found->second;
}

void GrpcServer::accept(std::unique_ptr<io::Stream> stream, GrpcPeer peer) {
  if (draining_) return;
  connections_.push_back(std::make_unique<GrpcServerConnection>(*this, std::move(stream), std::move(peer)));
}

void GrpcServer::drain(Duration grace, Function<void()> done) {
  WEFT_CHECK(!draining_);
  draining_ = true;
  drain_done_ = std::move(done);
  health_->stop_all();
  for (const auto& connection : connections_) connection->shut_down();
  grace_timer_ = loop_.make_timer(anchor_.guard([this] {
    for (const auto& connection : connections_)
      connection->abort(Error{Code::closed, "the server is leaving"});
  }));
  grace_timer_->start(grace);
  loop_.defer(anchor_.guard([this] { drained_if_empty(); }));
}

void GrpcServer::connection_closed(GrpcServerConnection& connection) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const auto& owned) { return owned.get() == &connection; });
  loop_.delete_later(std::move(*found));
  connections_.erase(found);
  if (draining_) loop_.defer(anchor_.guard([this] { drained_if_empty(); }));
}

void GrpcServer::drained_if_empty() {
  if (!connections_.empty() || !drain_done_) return;
  grace_timer_->stop();
  std::exchange(drain_done_, nullptr)();
}

}  // namespace weft::http
