// Commands to a running sidecar (drain, renew, log-level), over a Unix socket in the state folder that only
// the sidecar mounts, so that the application cannot reach it. HTTP inside, for it is there already. Control
// thread; the client half is for the command line.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "http/simple_server.h"
#include "io/loop.h"

namespace weft::sidecar {

class ControlSocket {
 public:
  using Respond = http::SimpleServer::Respond;
  // `command` as typed: "renew"; `argument` may be empty.
  using Handle = Function<void(std::string_view command, std::string_view argument, Respond respond)>;
  ControlSocket(io::Loop& loop, Handle handle);
  Status listen(const std::string& path);

 private:
  io::Loop& loop_;
  http::SimpleServer server_;
  std::unique_ptr<io::Listener> listener_;
  Anchor anchor_;
};

std::string control_socket_path(std::string_view state_folder);

// Sends one command and waits for the answer: its text, or why there is none.
Result<std::string> send_control_command(const std::string& path, std::string_view command,
                                         std::string_view argument, Duration timeout);

}  // namespace weft::sidecar
