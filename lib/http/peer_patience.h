// How long peers leave an idle connection open, as seen: by slot, the shortest idle time after which one
// closed, and what is therefore safe. Servers seldom say it (Keep-Alive: timeout=N); a request that crosses
// such a close cannot be told from one that was read. Pure; one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace weft::http {

class PeerPatience {
 public:
  // A connection of `slot` that had been idle for so long was closed by its peer.
  void closed_after(std::string_view slot, Duration idle, MonotonicTime now);
  // How long one may be kept idle; nothing: no close was seen of late. What a peer closed for another reason,
  // a restart say, is forgotten after limits::peer_patience_memory.
  std::optional<Duration> limit(std::string_view slot, MonotonicTime now) const;

 private:
  struct Lesson {
    Duration idle;
    MonotonicTime until;
  };
  void forget_old(MonotonicTime now);

  std::unordered_map<std::string, Lesson> lessons_;
};

}  // namespace weft::http
