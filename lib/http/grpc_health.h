// grpc.health.v1.Health of one GrpcServer: which services serve, and who watches them. On the server's
// thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "http/grpc_server.h"

namespace weft::http {

class GrpcHealth {
 public:
  GrpcHealth() { serving_.emplace("", true); }  // the server as a whole

  void add_service(std::string_view service) { serving_.emplace(service, true); }
  // Tells the watchers of that service.
  void set(std::string_view service, bool serving);
  void stop_all();  // nothing serves any more, and every watch ends

  GrpcUnaryHandler check_handler();
  GrpcStreamFactory watch_factory();

 private:
  class Watcher;

  // The bytes of a HealthCheckResponse.
  std::string response(std::string_view service) const;

  std::map<std::string, bool, std::less<>> serving_;
  std::set<Watcher*> watchers_;
};

}  // namespace weft::http
