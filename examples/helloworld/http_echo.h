// The demo's application: answers every request with TEXT and, where there is one, the answer of the next in
// the chain. It knows nothing of the mesh. One loop, one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "http/pool.h"
#include "http/simple_server.h"
#include "io/resolver.h"
#include "io/uv_loop.h"

namespace weft::helloworld {

struct EchoSettings {
  std::string text = "hello";
  std::string next;  // "world" or "world:8080"; empty: nobody
  Duration latency{0};
  std::uint16_t port = 8080;
};

class HttpEcho {
 public:
  HttpEcho(io::UvLoop& loop, EchoSettings settings);
  ~HttpEcho();
  Status start();

 private:
  class Call;
  friend class Call;

  void handle(const http::SimpleRequest& request, http::SimpleServer::Respond respond);
  void finish(Call& call);

  io::UvLoop& loop_;
  EchoSettings settings_;
  std::unique_ptr<io::Resolver> resolver_;
  http::Pool pool_;
  http::SimpleServer server_;
  std::map<Call*, std::unique_ptr<Call>> calls_;
  Anchor anchor_;
};

}  // namespace weft::helloworld
