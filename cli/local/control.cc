#include "cli/local/control.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/process.h"

namespace weft::local {

using nlohmann::json;

Result<std::vector<std::string>> LineReader::add(std::string_view bytes) {
  std::vector<std::string> lines;
  while (true) {
    const std::size_t end = bytes.find('\n');
    if (kept_.size() + std::min(end, bytes.size()) > control_line_bytes_max) {
      return fail(Code::limit, "a line of the control socket is too long");
    }
    kept_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) return lines;
    lines.push_back(std::exchange(kept_, {}));
    bytes.remove_prefix(end + 1);
  }
}

std::string control_error(const Error& error) {
  const json answer = {{"error", error.message}, {"code", code_name(error.code)}};
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

class ControlServer::Connection final : private io::StreamHandler {
 public:
  Connection(ControlServer& server, std::unique_ptr<io::Stream> stream)
      : server_(server), stream_(std::move(stream)) {
    stream_->start(*this);
  }

 private:
  void stream_data(std::string_view bytes) override {
    Result<std::vector<std::string>> lines = reader_.add(bytes);
    if (!lines) return close();
    for (const std::string& line : *lines) {
      server_.handle_(line,
                      anchor_.guard([this](std::string answer) { stream_->write(answer.append("\n")); }));
    }
  }
  // The caller has asked all it wanted; the answers may still be under way, and its close comes later.
  void stream_end() override { close(); }
  void stream_drained() override {}
  void stream_failed(const Error&) override { close(); }
  void close() {
    auto& all = server_.connections_;
    for (auto& connection : all) {
      if (connection.get() != this) continue;
      server_.loop_.delete_later(std::move(connection));
      std::erase(all, nullptr);
      return;
    }
  }

  ControlServer& server_;
  std::unique_ptr<io::Stream> stream_;
  LineReader reader_;
  Anchor anchor_;
};

ControlServer::ControlServer(io::Loop& loop, Handle handle) : loop_(loop), handle_(std::move(handle)) {}

ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::start(io::Loop& loop, const std::string& path,
                                                            Handle handle) {
  std::unique_ptr<ControlServer> server(new ControlServer(loop, std::move(handle)));
  ControlServer* const self = server.get();
  auto listener = loop.listen_unix(path, self->anchor_.guard([self](std::unique_ptr<io::Stream> stream) {
    self->connections_.push_back(std::make_unique<Connection>(*self, std::move(stream)));
  }));
  if (!listener) return fail(listener.error().in("control socket"));
  server->listener_ = *std::move(listener);
  return server;
}

Result<std::string> ask_mesh(const std::string& socket_path, std::string_view mesh_name,
                             std::string_view request) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    return fail(Code::invalid, "the socket's path is too long");
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int why = errno;
    if (why == EACCES) return fail(Code::refused, "only root may talk to a local mesh (try sudo)");
    return fail(Code::not_found,
                str_cat("no local mesh named ", mesh_name, " is running; start one with `weft local up`"));
  }
  const std::string line = str_cat(request, "\n");
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t sent = ::send(fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent <= 0) return fail(system_error("ask the mesh"));
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  LineReader reader;
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return fail(Code::closed, "the mesh ended before it answered");
    WEFT_ASSIGN(const std::vector<std::string> lines,
                reader.add({buffer.data(), static_cast<std::size_t>(got)}));
    if (lines.empty()) continue;
    const json answer = json::parse(lines.front(), nullptr, false);
    if (!answer.is_object()) return fail(Code::internal, "the mesh's answer is no JSON object");
    if (const auto error = answer.find("error"); error != answer.end() && error->is_string()) {
      return fail(Code::refused, *error->get_ptr<const std::string*>());
    }
    return lines.front();
  }
}

}  // namespace weft::local
