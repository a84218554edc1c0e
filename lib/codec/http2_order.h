// What an HTTP/2 peer may no longer send: HEADERS and DATA on a stream that it has ended or reset itself, and
// requests on streams that it passed over (RFC 9113 §§ 5.1, 5.1.1). nghttp2 forgets a stream that is over and
// ignores what comes for it. Frames on a stream that we reset are none of this: they may have crossed. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::codec {

class Http2Order {
 public:
  using StreamId = std::int32_t;
  enum class Verdict : std::uint8_t {
    fine,          // or unknown
    after_reset,   // a stream error STREAM_CLOSED
    after_end,     // a connection error STREAM_CLOSED
    out_of_order,  // a connection error PROTOCOL_ERROR
  };

  // A stream is over, and its peer had said its last by END_STREAM, or by RST_STREAM.
  void ended(StreamId id) { remember({id, Verdict::after_end}); }
  void reset(StreamId id) { remember({id, Verdict::after_reset}); }

  // HEADERS or DATA begin on a stream that is not open.
  Verdict look(StreamId id) const;
  // The same for HEADERS that reach a server, and may open it.
  Verdict look_at_request(StreamId id);

 private:
  struct Over {
    StreamId id = 0;
    Verdict verdict = Verdict::fine;
  };
  // What comes later than this many streams is ignored, as RFC 9113 § 5.1 allows for frames of long ago.
  static constexpr std::size_t remembered = 16;

  void remember(const Over& over) { over_[next_++ % remembered] = over; }

  std::array<Over, remembered> over_;
  std::size_t next_ = 0;
  StreamId highest_ = -1;  // of the requests
  // The streams that the last request passed over; first > last: none.
  StreamId passed_first_ = 1;
  StreamId passed_last_ = 0;
};

}  // namespace weft::codec
