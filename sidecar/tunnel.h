// Two byte streams joined: what one delivers the other sends, with half-close and back-pressure. Opaque TCP
// and upgraded HTTP connections travel this way. Owned by the connection that made it, on its worker's
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "base/clock.h"
#include "io/loop.h"
#include "sidecar/records.h"

namespace weft::sidecar {

// What was read from the two sides before they were joined, while the protocol was being found out.
struct TunnelStart {
  std::string from_downstream;
  std::string from_upstream;
  bool downstream_ended = false;  // its FIN was seen already
  bool upstream_ended = false;
};

struct TunnelResult {
  std::uint64_t upstream_bytes = 0;    // towards the upstream
  std::uint64_t downstream_bytes = 0;  // towards the downstream
  std::optional<Error> error;          // nothing: both sides ended cleanly
  bool failed_upstream = false;        // which side the error came from
};

// Notes the bytes in `record` and says why it ended, as x-weft-error would; empty for a clean end.
std::string_view note_result(const TunnelResult& result, ConnectionRecord& record);

class Tunnel {
 public:
  // `done` runs once, never inline, when both directions have ended, one side failed (the other is reset
  // then), or nothing moved for `idle_timeout`.
  Tunnel(io::Loop& loop, std::unique_ptr<io::Stream> downstream, std::unique_ptr<io::Stream> upstream,
         const TunnelStart& start, Duration idle_timeout, Function<void(const TunnelResult&)> done);
  ~Tunnel();
  // Ends both sides now; `done` still runs.
  void abort(const Error& why);

 private:
  struct Side final : io::StreamHandler {
    void stream_data(std::string_view bytes) override;
    void stream_end() override;
    void stream_drained() override;
    void stream_failed(const Error& error) override;

    Tunnel* tunnel = nullptr;
    std::unique_ptr<io::Stream> stream;
    Side* other = nullptr;
    std::uint64_t received_bytes = 0;
    bool read_ended = false;  // the peer sent its FIN
    bool flushed = false;     // ours has left
  };

  void check_done();
  void fail_from(Side& side, const Error& error);
  void finish();
  void touch();

  io::Loop& loop_;
  Duration idle_timeout_;
  MonotonicTime last_moved_;
  Function<void(const TunnelResult&)> done_;
  std::optional<Error> error_;
  bool failed_upstream_ = false;
  bool finished_ = false;
  Side downstream_;
  Side upstream_;
  std::unique_ptr<io::Timer> idle_timer_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
