// gRPC over HTTP/2, the parts that are bytes and text: length-prefixed messages, status codes, grpc-timeout,
// percent-encoded grpc-message (the "PROTOCOL-HTTP2" document of gRPC). Pure: no I/O, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"

namespace weft::codec {

enum class GrpcCode : std::uint8_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

// "PERMISSION_DENIED"; the number for what is not in the list.
std::string_view grpc_code_name(GrpcCode code);
// The value of a grpc-status field; a number outside the list is UNKNOWN, other text is nothing.
std::optional<GrpcCode> parse_grpc_code(std::string_view text);

// How a call ended.
struct GrpcStatus {
  GrpcCode code = GrpcCode::ok;
  std::string message;  // for people; plain text, not encoded

  bool ok() const { return code == GrpcCode::ok; }
  std::string to_string() const;  // "PERMISSION_DENIED: the token has expired"
  bool operator==(const GrpcStatus&) const = default;
};

// What a call that ended without grpc-status ended with, by its :status.
GrpcCode grpc_code_of_http_status(int status);
// What a stream that was reset ended with, by the RST_STREAM code (Http2Code's number).
GrpcCode grpc_code_of_reset(std::uint32_t http2_code);

// grpc-message: bytes outside printable ASCII, and '%', as %XX.
std::string encode_grpc_message(std::string_view text);
// Never fails: what is no valid %XX stays as it is.
std::string decode_grpc_message(std::string_view text);

// grpc-timeout: at most eight digits and a unit of HMSmun. Rounds up; what is below zero is "0n".
std::string format_grpc_timeout(Duration timeout);
std::optional<Duration> parse_grpc_timeout(std::string_view text);

// Appends the five-byte prefix and the message. REQUIRES: message.size() < 4 GiB.
void write_grpc_frame(std::string& out, std::string_view message);

// Cuts a byte stream back into messages. The owner feeds what came and takes out message by message.
class GrpcFrameReader {
 public:
  explicit GrpcFrameReader(std::size_t message_bytes_max = limits::grpc_message_bytes_max)
      : message_bytes_max_(message_bytes_max) {}

  // Takes bytes of the front of `bytes`, up to the end of one message at most, and says how many it took.
  // After it, either `bytes` is used up or message_ready(). Errors: limit (a message above the maximum),
  // invalid (a compressed message: weft never offers an encoding, so the peer may not use one). The reader is
  // then done for.
  Result<std::size_t> feed(std::string_view bytes);
  bool message_ready() const { return prefix_bytes_ == prefix_size && message_.size() == expected_bytes_; }
  // REQUIRES: message_ready().
  std::string take();
  // No part of a message is held: the stream may end here.
  bool at_boundary() const { return prefix_bytes_ == 0; }
  std::size_t held_bytes() const { return message_.size(); }

 private:
  static constexpr std::size_t prefix_size = 5;

  std::size_t message_bytes_max_;
  std::size_t prefix_bytes_ = 0;
  unsigned char prefix_[prefix_size]{};
  std::size_t expected_bytes_ = 0;
  std::string message_;
};

}  // namespace weft::codec
