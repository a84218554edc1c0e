#include "http/peer_patience.h"

#include <algorithm>

#include "base/limits.h"

namespace weft::http {

void PeerPatience::closed_after(std::string_view slot, Duration idle, MonotonicTime now) {
  if (lessons_.size() >= limits::peer_patience_slots_max) forget_old(now);
  const auto found = lessons_.find(std::string(slot));
  const MonotonicTime until = now + limits::peer_patience_memory;
  if (found == lessons_.end()) {
    if (lessons_.size() < limits::peer_patience_slots_max) lessons_.emplace(slot, Lesson{idle, until});
    return;
  }
  Lesson& lesson = found->second;
  const bool over = now >= lesson.until;
  lesson = Lesson{over ? idle : std::min(idle, lesson.idle), until};
}

// A quarter earlier: the peer counts from when it wrote, and its close takes a way as long as our request's.
std::optional<Duration> PeerPatience::limit(std::string_view slot, MonotonicTime now) const {
  if (lessons_.empty()) return std::nullopt;
  const auto found = lessons_.find(std::string(slot));
  if (found == lessons_.end() || now >= found->second.until) return std::nullopt;
  return found->second.idle * 3 / 4;
}

void PeerPatience::forget_old(MonotonicTime now) {
  std::erase_if(lessons_, [now](const auto& each) { return now >= each.second.until; });
}

}  // namespace weft::http
