// The application's own probes. The kubelet has no certificate, so the injector sends its HTTP, TCP and gRPC
// probes to the sidecar's health port, which carries out the original inside the pod. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "http/simple_client.h"
#include "http/simple_server.h"
#include "io/loop.h"

namespace weft::sidecar {

struct ProbeSpec {
  enum class Type { http, tcp, grpc };
  Type type = Type::http;
  std::uint16_t port = 0;
  std::string path = "/";
  bool https =
      false;  // reaching the port is then all that is asked: the certificate is the application's affair
  std::vector<codec::Header> headers;
  Duration timeout = std::chrono::seconds(1);
};

// WEFT_PROBES: {"<container>/<livez|readyz|startupz>": {"type": "http", "port": 8080, "path": "/", …}}.
// Errors name the probe and the field.
Result<std::map<std::string, ProbeSpec, std::less<>>> parse_probes(std::string_view json);

class Probes {
 public:
  static constexpr std::string_view path_prefix = "/app-health/";

  Probes(io::Loop& loop, const IpAddress& pod_ip, std::map<std::string, ProbeSpec, std::less<>> specs);
  ~Probes();
  // `path`: "/app-health/<container>/<kind>". 200-399 of the application is passed on; else 503 and why.
  void probe(std::string_view path, http::SimpleServer::Respond respond);

 private:
  struct Attempt;

  void finish(std::uint64_t id, http::SimpleReply reply);

  io::Loop& loop_;
  IpAddress pod_ip_;
  std::map<std::string, ProbeSpec, std::less<>> specs_;
  std::map<std::uint64_t, std::unique_ptr<Attempt>> attempts_;
  std::uint64_t next_id_ = 0;
  Anchor anchor_;
};

}  // namespace weft::sidecar
