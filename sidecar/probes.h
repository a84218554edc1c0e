// The application's own probes. The kubelet has no certificate, so the injector sends its HTTP, TCP and gRPC
// probes to the sidecar's health port, which carries out the original inside the pod as the kubelet would
// (http/health_probe.h). Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "http/health_probe.h"
#include "http/simple_server.h"
#include "io/loop.h"

namespace weft::sidecar {

// "<container>/<livez|readyz|startupz>" → the original, but for the pod's address.
using ProbeMap = std::map<std::string, http::HealthProbe, std::less<>>;

// WEFT_PROBES: {"<container>/<livez|readyz|startupz>": {"type": "http", "port": 8080, "path": "/", …}}.
// Errors name the probe and the field.
Result<ProbeMap> parse_probes(std::string_view json);

class Probes {
 public:
  static constexpr std::string_view path_prefix = "/app-health/";
  // More at once are no kubelet's: they are refused, for each is a connection to the application.
  static constexpr std::size_t at_once_max = 64;

  Probes(io::Loop& loop, const IpAddress& pod_ip, ProbeMap probes);
  ~Probes();
  // `path`: "/app-health/<container>/<kind>"; `user_agent` is passed on to the application, unless the probe
  // has its own. 200, or 503 and why. A failure is logged when it begins, and when its reason changes.
  void probe(std::string_view path, std::string_view user_agent, http::SimpleServer::Respond respond);

 private:
  struct Attempt;

  void finish(std::uint64_t id, const Status& status);
  void note(const std::string& name, const Status& status);

  io::Loop& loop_;
  ProbeMap probes_;
  std::map<std::string, std::string> failing_;  // name → the reason that was logged
  std::map<std::uint64_t, std::unique_ptr<Attempt>> attempts_;
  std::uint64_t next_id_ = 0;
  Anchor anchor_;
};

}  // namespace weft::sidecar
