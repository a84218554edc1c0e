// What an Http2Session keeps of one stream.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/buffer.h"
#include "codec/http2.h"
#include "codec/message.h"

namespace weft::codec {

struct Http2Session::Stream {
  explicit Stream(MonotonicTime began_at) : began(began_at) {}

  const MonotonicTime began;
  Buffer out;
  Headers out_trailers;
  bool out_end = false;  // send_end() was called, or the head had `end`
  bool above_high = false;
  bool announced = false;      // the handler knows it
  bool connect = false;        // of a server: it was asked for by CONNECT
  bool tunnel = false;         // and granted: its two directions end on their own
  bool head_received = false;  // of a response: the final one
  bool remote_end = false;
  bool head_sent = false;
  bool end_sent = false;
  bool reset = false;  // by us
  bool reset_by_peer = false;
  std::size_t unconsumed = 0;
  std::string_view malformed;  // why its message is none
};

}  // namespace weft::codec
