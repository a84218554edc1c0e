#include "http/grpc_health.h"

#include <optional>

#include "base/text.h"
#include "grpc/health/v1/health.pb.h"

namespace weft::http {
namespace {

namespace wire = grpc::health::v1;

codec::GrpcStatus malformed() { return {codec::GrpcCode::invalid_argument, "malformed HealthCheckRequest"}; }

std::optional<std::string> asked_for(std::string_view message) {
  wire::HealthCheckRequest request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  return request.service();
}

}  // namespace

class GrpcHealth::Watcher final : public GrpcStreamHandler {
 public:
  Watcher(GrpcHealth& health, GrpcServerStream& stream) : health_(health), stream_(stream) {
    health_.watchers_.insert(this);
  }
  ~Watcher() override { health_.watchers_.erase(this); }

  void message(std::string_view bytes) override {
    service_ = asked_for(bytes);
    if (service_) {
      tell();
    } else {
      stream_.finish(malformed());
    }
  }
  void half_closed() override {}
  void drained() override {}
  void closed(const codec::GrpcStatus&) override {}
  void tell() {
    if (service_) stream_.send(health_.response(*service_));
  }
  // A watch has no end of its own and would hold up the server's.
  void leave() {
    tell();
    stream_.finish({codec::GrpcCode::unavailable, "the server is leaving"});
  }

 private:
  GrpcHealth& health_;
  GrpcServerStream& stream_;
  std::optional<std::string> service_;
};

std::string GrpcHealth::response(std::string_view service) const {
  wire::HealthCheckResponse response;
  const auto found = serving_.find(service);
  response.set_status(found == serving_.end() ? wire::HealthCheckResponse::SERVICE_UNKNOWN
                      : found->second         ? wire::HealthCheckResponse::SERVING
                                              : wire::HealthCheckResponse::NOT_SERVING);
  return response.SerializeAsString();
}

void GrpcHealth::set(std::string_view service, bool serving) {
  serving_.insert_or_assign(std::string(service), serving);
  for (Watcher* watcher : watchers_) watcher->tell();
}

void GrpcHealth::stop_all() {
  for (auto& [service, serving] : serving_) serving = false;
  for (Watcher* watcher : watchers_) watcher->leave();
}

GrpcUnaryHandler GrpcHealth::check_handler() {
  return [this](const GrpcRequest&, std::string_view message, GrpcResponder responder) {
    const auto service = asked_for(message);
    if (!service) {
      responder.fail(malformed());
    } else if (!serving_.contains(*service)) {
      responder.fail({codec::GrpcCode::not_found, str_cat("no service '", printable(*service), "'")});
    } else {
      responder.reply(response(*service));
    }
  };
}

GrpcStreamFactory GrpcHealth::watch_factory() {
  return [this](const GrpcRequest&, GrpcServerStream& stream) {
    return std::make_unique<Watcher>(*this, stream);
  };
}

}  // namespace weft::http
