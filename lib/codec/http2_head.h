// The header block that an HTTP/2 connection is receiving, field by field. One a connection is enough: header
// blocks are never interleaved (RFC 9113 § 4.3).
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "codec/message.h"

namespace weft::codec {

class Http2Head {
 public:
  Http2Head(std::size_t bytes_max, std::size_t fields_max) : bytes_max_(bytes_max), fields_max_(fields_max) {}

  void begin();
  // False when the block is larger than it may be.
  [[nodiscard]] bool add(std::string_view name, std::string_view value);

  // The complete block as what it turns out to be. 0 where :status is missing or no number.
  int status() const { return status_; }
  RequestHead take_request() { return std::move(head_); }
  ResponseHead take_response();
  Headers take_trailers() { return std::move(head_.headers); }

 private:
  std::size_t bytes_max_;
  std::size_t fields_max_;
  std::size_t bytes_ = 0;
  RequestHead head_;  // its headers serve responses and trailers as well
  int status_ = 0;
};

}  // namespace weft::codec
