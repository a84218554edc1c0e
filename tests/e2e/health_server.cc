// An application with gRPC health checks, for end-to-end tests: plaintext on $PORT, on every address. It
// serves "shop" and, not at present, "cart".
#include <cstdio>
#include <cstdlib>
#include <string>

#include "http/grpc_server.h"
#include "io/uv_loop.h"

int main() {
  using namespace weft;
  const char* port = std::getenv("PORT");
  const auto address = Address::parse(std::string("0.0.0.0:") + (port == nullptr ? "9000" : port));
  io::UvLoop loop;
  http::GrpcServer server(loop);
  server.set_serving("shop", true);
  server.set_serving("cart", false);
  const auto take = [&server](std::unique_ptr<io::Stream> stream) {
    const Address peer = stream->peer_address();
    server.accept(std::move(stream), http::GrpcPeer{peer, std::nullopt});
  };
  const auto listener = address ? loop.listen(*address, {}, take) : fail(address.error());
  if (!listener) {
    std::fprintf(stderr, "%s\n", listener.error().message.c_str());
    return 1;
  }
  loop.run();
}
