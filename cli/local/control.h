// How the verbs talk to the mesh that runs: a Unix socket, one JSON object a line each way. A request has
// "verb"; an answer has "ok": true and what was asked for, or "error" (for people) and "code".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/callback.h"
#include "base/result.h"
#include "io/loop.h"

namespace weft::local {

inline constexpr std::size_t control_line_bytes_max = 32 * 1024 * 1024;

// Cuts a byte stream into lines. Pure.
class LineReader {
 public:
  // Every complete line of `bytes` and what was kept before. limit: a line is too long.
  Result<std::vector<std::string>> add(std::string_view bytes);

 private:
  std::string kept_;
};

// What a verb asks; members that a verb does not use stay empty.
struct ControlRequest {
  std::string verb;
  std::string name_space = "default";
  std::string name;  // pod, deployment/NAME, KIND/NAME
  std::string container;
  std::string file;                       // apply: where `text` is from
  std::string text;                       // apply: manifests
  std::string path;                       // admin: the page, "/config"
  std::vector<std::string> changes;       // annotate: KEY=VALUE, KEY-
  std::optional<std::uint32_t> replicas;  // scale
  std::optional<std::uint32_t> grace;     // delete-pod: seconds
  bool operator==(const ControlRequest&) const = default;
};

std::string to_json(const ControlRequest& request);
Result<ControlRequest> parse_control_request(std::string_view line);
std::string control_error(const Error& error);

// The mesh's end. Lives on the loop's thread.
class ControlServer {
 public:
  // Takes one line without its end; owed exactly once, now or later, also after the caller went away.
  using Respond = Function<void(std::string line)>;
  using Handle = Function<void(const std::string& line, Respond respond)>;

  static Result<std::unique_ptr<ControlServer>> start(io::Loop& loop, const std::string& path, Handle handle);
  ~ControlServer();

 private:
  class Connection;
  ControlServer(io::Loop& loop, Handle handle);

  io::Loop& loop_;
  Handle handle_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Anchor anchor_;
};

// A verb's end: asks and waits. The answer is a JSON object with "ok". not_found: no mesh of this name runs;
// otherwise what the mesh says.
Result<std::string> ask_mesh(const std::string& socket_path, std::string_view mesh_name,
                             std::string_view request);

}  // namespace weft::local
