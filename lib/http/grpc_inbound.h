// The receiving half of a call, on either side: cuts messages out of a stream's bytes, and holds them back
// while its owner is paused. What was not taken keeps its flow-control window, which bounds what is held.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "base/result.h"
#include "codec/grpc_frame.h"

namespace weft::http {

class GrpcInbound {
 public:
  explicit GrpcInbound(std::size_t message_bytes_max) : reader_(message_bytes_max) {}

  // Hands every whole message in what was held and in `bytes` to `message`, until pause() or stop() is called
  // in it. Adds to `taken_bytes` what flow control may give back. Errors are the reader's; nothing may be
  // delivered after. `message` may call everything here but deliver().
  Status deliver(std::string_view bytes, const Function<void(std::string_view)>& message,
                 std::size_t& taken_bytes);
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  void stop() { stopped_ = true; }  // delivers no more

  bool paused() const { return paused_; }
  // All bytes were delivered, and they were whole messages.
  bool at_boundary() const { return held_.empty() && reader_.at_boundary(); }
  bool holds_bytes() const { return !held_.empty(); }

 private:
  codec::GrpcFrameReader reader_;
  std::string held_;
  bool paused_ = false;
  bool stopped_ = false;
};

}  // namespace weft::http
