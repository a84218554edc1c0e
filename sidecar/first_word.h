// Between a client that has said nothing for a while and its server: reads both, the server as soon as it is
// connected, and tells who spoke first. Whoever did not is untouched. An HTTP/2 server sends its SETTINGS
// without waiting for its client (RFC 9113 § 3.4): that is no first word. Owned by the connection that asks;
// lives on the worker's thread.
#pragma once

#include <memory>
#include <string>

#include "base/callback.h"
#include "io/loop.h"
#include "sidecar/preread.h"

namespace weft::sidecar {

class FirstWord final : io::StreamHandler {
 public:
  struct Result {
    // The client's stream, and what it said: `silent` where the server was first, or nobody spoke.
    Preread::Result client;
    std::unique_ptr<io::Stream> upstream;  // null while it is not connected
    bool server_first = false;
    std::string from_upstream;
    bool upstream_ended = false;   // its first word was the end
    bool upstream_failed = false;  // `error`
    Error error;
  };

  // `already_read`: what the client has said without deciding anything. `done` runs once, never inline.
  FirstWord(io::Loop& loop, std::unique_ptr<io::Stream> downstream, std::string already_read,
            Function<void(Result)> done);
  ~FirstWord();
  void connected(std::unique_ptr<io::Stream> upstream);
  // Gives the client back as it is; `done` will not run.
  std::unique_ptr<io::Stream> take_client() { return client_.take().stream; }

 private:
  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override {}
  void stream_failed(const Error& error) override;
  void server_spoke();
  void finish();

  io::Loop& loop_;
  Result result_;
  Function<void(Result)> done_;
  bool finished_ = false;
  Preread client_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
