#include "sidecar/control_socket.h"

#include "base/text.h"
#include "http/simple_client.h"
#include "io/uv_loop.h"

namespace weft::sidecar {

ControlSocket::ControlSocket(io::Loop& loop, Handle handle)
    : loop_(loop),
      server_(loop, [handle = std::move(handle)](const http::SimpleRequest& request, Respond respond) {
        if (request.head.method != "POST") {
          return respond(http::SimpleReply{405, "commands are sent by POST\n", "text/plain", {}});
        }
        handle(http::path_of(request.head.target).substr(1), request.body, std::move(respond));
      }) {}

Status ControlSocket::listen(const std::string& path) {
  auto listener = loop_.listen_unix(
      path, anchor_.guard([this](std::unique_ptr<io::Stream> stream) { server_.accept(std::move(stream)); }));
  if (!listener) return fail(listener.error().in(str_cat("control socket ", path)));
  listener_ = *std::move(listener);
  return {};
}

std::string control_socket_path(std::string_view state_folder) {
  return str_cat(state_folder, "/control.sock");
}

Result<std::string> send_control_command(const std::string& path, std::string_view command,
                                         std::string_view argument, Duration timeout) {
  io::UvLoop loop;
  http::FetchRequest request;
  request.head.method = "POST";
  request.head.target = str_cat("/", command);
  request.head.authority = "weft-sidecar";
  request.body = argument;
  request.timeout = timeout;
  Result<http::FetchReply> outcome = fail(Code::internal, "no answer");
  const auto connect = [&loop, &path](auto done) { return loop.connect_unix(path, std::move(done)); };
  const auto in_flight = http::fetch(loop, connect, std::move(request), [&](Result<http::FetchReply> reply) {
    outcome = std::move(reply);
    loop.stop();
  });
  loop.run();
  if (!outcome) return fail(outcome.error().in(str_cat("the sidecar's control socket ", path)));
  if (outcome->head.status != 200) return fail(Code::refused, outcome->body);
  return std::move(outcome->body);
}

}  // namespace weft::sidecar
